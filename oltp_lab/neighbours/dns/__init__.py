"""DNS: what tenants publish is looked up on an authoritative server, judged, and noted in the OLTP.

The server is on the loopback interface; its zones are made of the sample data's domains, some of
them wrong in a way that is known, so that each verdict has one to be compared with.
"""
