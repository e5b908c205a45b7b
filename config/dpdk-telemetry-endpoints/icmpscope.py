# SPDX-License-Identifier: BSD-3-Clause
"""icmpscope for DPDK's own exporter (dpdk-telemetry-exporter.py, DPDK 24.07 and later), which reads this file from
/usr/share/dpdk/telemetry-endpoints and names each metric dpdk_icmpscope_NAME:

    dpdk-telemetry-exporter.py -s /run/dpdk/icmpscope/dpdk_telemetry.v2 -e icmpscope -o openmetrics://127.0.0.1:9876

That exporter has no bound on replies or labels and writes the older text format; icmpscope-exporter has more metrics and
both formats. Tables are read page by page, as docs/telemetry.md says.
"""

# Pages of a table that are read at most, and rows that become metrics of their own.
PAGES_MAX = 64
ROWS_MAX = 256

# key of the reply, metric, what it is, type
INFO = [
    ("uptime_s", "uptime_seconds", "Time since icmpscope started.", "gauge"),
    ("frames", "received_frames_total", "Frames received.", "counter"),
    ("control", "control_messages_total", "Control messages that workers saw.", "counter"),
    ("delivered", "delivered_messages_total", "Control messages handed to the control core.", "counter"),
    ("consumed_messages", "judged_messages_total", "Control messages that the control core has judged.", "counter"),
    ("missed", "missed_frames_total", "Frames that found the receive queue full.", "counter"),
    ("errors", "error_frames_total", "Frames that arrived broken.", "counter"),
    ("no_mbuf", "no_buffer_frames_total", "Frames that found no buffer.", "counter"),
    ("conservation_ok", "conservation_ok", "1 when the counters add up.", "gauge"),
    ("anomalies_opened", "anomalies_opened_total", "Anomalies since start.", "counter"),
    ("anomalies_cleared", "anomalies_cleared_total", "Anomalies that ended.", "counter"),
    ("anomalies_open", "anomalies_open", "Anomalies that are open.", "gauge"),
    ("segments", "segments", "Segments in the model.", "gauge"),
    ("routers", "routers", "Routers in the model.", "gauge"),
    ("hosts", "hosts", "Hosts in the model.", "gauge"),
    ("bindings", "addresses", "Addresses in the model.", "gauge"),
]

# command, label, metric, what it is
TOTALS = [
    ("/icmpscope/classes", "class", "class_frames_total", "Frames by class; every frame has one."),
    ("/icmpscope/reasons", "rule", "rule_messages_total", "Messages that broke a rule."),
    ("/icmpscope/encapsulation", "encapsulation", "encapsulated_frames_total", "Frames by what they came in."),
]

# family, labels (of a column), then as in INFO
TABLES = [
    (
        "worker",
        {"worker": "worker", "cpu": "cpu"},
        [
            ("packets", "worker_frames_total", "Frames that the worker took.", "counter"),
            ("busy_cycles", "worker_busy_cycles_total", "Cycles of polls that gave frames.", "counter"),
            ("idle_cycles", "worker_idle_cycles_total", "Cycles of polls that gave none.", "counter"),
            ("dropped", "worker_dropped_messages_total", "Messages that it could not hand over.", "counter"),
        ],
    ),
    (
        "segment",
        {"port": "port", "vlan": "vlan"},
        [
            ("messages", "segment_messages_total", "Control messages of the segment.", "counter"),
            ("default_routers", "segment_default_routers", "Routers that hosts hold as default routers.", "gauge"),
            ("hosts", "segment_hosts", "Hosts that were heard.", "gauge"),
            ("mld_pps", "segment_mld_message_rate", "MLD messages a second.", "gauge"),
            ("table_used", "segment_multicast_table_used", "Entries that the smallest switch needs.", "gauge"),
            ("table_cap", "segment_multicast_table_size", "Entries that it has.", "gauge"),
        ],
    ),
    (
        "detector",
        {"detector": "name"},
        [
            ("fired", "detector_fired_total", "Anomalies that the detector opened.", "counter"),
            ("cleared", "detector_cleared_total", "Anomalies of the detector that ended.", "counter"),
        ],
    ),
]


def info():
    known = {metric: (what, kind) for _, metric, what, kind in INFO}
    known.update({metric: (what, "counter") for _, _, metric, what in TOTALS})
    known["dropped_messages_total"] = ("Control messages lost before the control core, by cause.", "counter")
    for _, _, columns in TABLES:
        known.update({metric: (what, kind) for _, metric, what, kind in columns})
    return known


def rows(sock, family):
    found, start = [], 0
    for _ in range(PAGES_MAX):
        page = sock.cmd(f"/icmpscope/{family}/table", start)
        if not isinstance(page, dict) or "error" in page:
            break
        columns = {key: value for key, value in page.items() if isinstance(value, list)}
        found += [dict(zip(columns, row)) for row in zip(*columns.values())]
        if not page.get("more") or page["next"] <= start or len(found) >= ROWS_MAX:
            break
        start = page["next"]
    return found[:ROWS_MAX]


def metrics(sock):
    reply = sock.cmd("/icmpscope/info")
    if not isinstance(reply, dict) or "error" in reply:
        raise RuntimeError(f"icmpscope did not answer: {reply}")
    out = [(metric, reply[key], {}) for key, metric, _, _ in INFO if key in reply]
    out += [
        ("dropped_messages_total", value, {"cause": key[len("dropped_") :]})
        for key, value in reply.items()
        if key.startswith("dropped_")
    ]
    for command, label, metric, _ in TOTALS:
        totals = sock.cmd(command)
        out += [(metric, value, {label: name}) for name, value in totals.items() if isinstance(value, int)]
    for family, labels, columns in TABLES:
        table = rows(sock, family)
        for key, metric, _, _ in columns:
            for row in table:
                if key in row:
                    out.append((metric, row[key], {label: row[column] for label, column in labels.items()}))
    return out
