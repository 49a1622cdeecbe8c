-- A view no longer asks with the rights of whoever asks.
-- on: infrastructure.domain_verification
alter view infrastructure.domain_verification reset (security_invoker);
