"""A worker whose mails get a new Message-ID with each attempt: no mailbox can know them again."""

import uuid

from oltp_lab.neighbours.notifications import post, worker

if __name__ == "__main__":
    post.Mail.message_id = property(lambda _: f"<{uuid.uuid4()}@oltp-lab.example>")  # pyright: ignore
    worker.main()
