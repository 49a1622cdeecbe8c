-- What operations lean on: the context, hashes, ids.

-- name: context
select lab.enter_tenant(lab.current_tenant(), lab.current_user_id());

-- name: first_uuid_of
select lab.first_uuid_of(now());

-- name: murmur3_32
select lab.murmur3_32('text', 0);

-- name: setting_refusal
select lab.setting_refusal(s, s.default_value) from configuration.settings s;

-- name: uuid_generate_v7
select public.uuid_generate_v7();
