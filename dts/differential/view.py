"""What a reader says about a frame, in the words of icmpscope-dump, so that readers can be compared column by column."""

from dataclasses import dataclass, field

ICMP6_CLASSES = {
    1: "icmp6_unreach", 2: "icmp6_too_big", 3: "icmp6_time_exceeded", 4: "icmp6_param_problem", 128: "icmp6_echo_request",
    129: "icmp6_echo_reply", 130: "mld_query", 131: "mld1_report", 132: "mld1_done", 133: "nd_rs", 134: "nd_ra", 135: "nd_ns",
    136: "nd_na", 137: "nd_redirect", 143: "mld2_report", 151: "mrd", 152: "mrd", 153: "mrd",
}  # fmt: skip
ICMP4_CLASSES = {
    0: "icmp4_echo_reply", 4: "icmp4_source_quench", 5: "icmp4_redirect", 8: "icmp4_echo_request", 11: "icmp4_time_exceeded",
    12: "icmp4_param_problem",
}  # fmt: skip
ND_CLASSES = {"nd_rs", "nd_ra", "nd_ns", "nd_na", "nd_redirect"}
COLUMNS = ("class", "checksum", "options", "records")


def icmp6_class(message_type):
    """None: the message is so short that it has no type."""
    return ICMP6_CLASSES.get(message_type, "icmp6_other")


def icmp4_class(message_type, code):
    if message_type == 3:
        return "icmp4_frag_needed" if code == 4 else "icmp4_unreach"
    return ICMP4_CLASSES.get(message_type, "icmp4_other")


@dataclass(slots=True)
class View:
    """cls: a class; non_ip where a reader found neither IP nor ARP. checksum: ok, bad, skipped. options: (type, length
    in units of 8 octets) in order. records: (type, group as hex digits, number of sources) in order. facts: whatever else
    the reader noticed, which an exception may rest on.
    """

    cls: str
    checksum: str = "skipped"
    options: tuple = ()
    records: tuple = ()
    facts: dict = field(default_factory=dict)

    def column(self, name):
        return self.cls if name == "class" else getattr(self, name)
