// SPDX-License-Identifier: BSD-3-Clause
// The one table of weir.yaml: a key is added here and nowhere else.
#include "config/keys.h"

#include "config/load.h"
#include "config/schema.h"
#include "config/sections.h"

namespace weir::config {

namespace {

const std::vector<std::string_view> kFailWords{"pass", "drop"};

const Section<Eal>& eal_section() {
    static const Section<Eal> section{
        choice(
            "hugepages",
            &Eal::hugepages,
            {"auto", "require", "off"},
            "Whether packet memory is hugepages. `auto` takes them if the machine has free ones "
            "and goes without "
            "otherwise; `require` refuses to start without; `off` lets Weir run unprivileged on "
            "virtual devices."),
        number(
            "memory_mb",
            &Eal::memory_mb,
            64,
            1048576,
            "Packet memory in MiB when running without hugepages."),
        number(
            "main_lcore",
            &Eal::main_lcore,
            0,
            kMaxLcore,
            "CPU of DPDK's main thread and of the control threads. Never a worker's."),
        word(
            "file_prefix",
            &Eal::file_prefix,
            read_text,
            "text",
            "Prefix of DPDK's runtime files, so that several gateways share a machine. Empty: made "
            "from the process "
            "id."),
        list(
            "extra",
            &Eal::extra,
            read_text,
            [](const std::string& item) { return item; },
            "list of text",
            "Further DPDK EAL arguments, one a list item. Those that Weir sets itself are "
            "refused.")};
    return section;
}

const Section<FlowTable>& flow_table_section() {
    constexpr std::uint64_t kDay = 86400;
    static const Section<FlowTable> section{
        number(
            "capacity",
            &FlowTable::capacity,
            1024,
            1u << 26,
            "Flows that each worker can hold, rounded up to a power of two. What happens beyond is "
            "`fail.flow_table_full`."),
        number(
            "tcp_established_s",
            &FlowTable::tcp_established_s,
            1,
            kDay,
            "Seconds without a packet until a TCP flow with a complete handshake ends."),
        number(
            "tcp_opening_s",
            &FlowTable::tcp_opening_s,
            1,
            kDay,
            "The same for a TCP flow whose handshake is not complete."),
        number(
            "tcp_closed_s",
            &FlowTable::tcp_closed_s,
            1,
            kDay,
            "The same for a TCP flow after FIN or RST."),
        number("udp_s", &FlowTable::udp_s, 1, kDay, "The same for a UDP flow."),
        number("other_s", &FlowTable::other_s, 1, kDay, "The same for every other protocol."),
        number(
            "host_capacity",
            &FlowTable::host_capacity,
            1024,
            1u << 26,
            "Hosts whose rates and fan-out each worker follows, rounded up to a power of two.")};
    return section;
}

const Section<Workers>& workers_section() {
    static const Section<Workers> section{
        list(
            "lcores",
            &Workers::lcores,
            [](Context& context, const Node& node, const std::string& path, std::uint32_t& out) {
                std::uint64_t value = 0;
                const bool good = read_number(context, node, path, 0, kMaxLcore, value);
                out = static_cast<std::uint32_t>(value);
                return good;
            },
            [](std::uint32_t item) { return std::to_string(item); },
            "list of CPUs",
            "One worker runs on each of these CPUs and takes it whole. Best isolated from the "
            "scheduler "
            "(`isolcpus`)."),
        number("burst", &Workers::burst, 1, 64, "Packets that a worker takes from a port at once."),
        group("flow_table", &Workers::flow_table, flow_table_section)};
    return section;
}

/// A file, or "" for none.
bool read_optional_file(
    Context& context, const Node& node, const std::string& path, std::string& out) {
    if (node.kind == Node::Kind::scalar && node.text.empty()) {
        out.clear();
        return true;
    }
    return read_file_name(context, node, path, out);
}

template <typename T>
Key<T> share(std::string name, double T::*member, std::string text) {
    return {
        name,
        false,
        [=](Context& context, const Node& node, const std::string& path, T& out) {
            read_share(context, node, path, out.*member);
        },
        [=](const std::string& path, const T& /*defaults*/, std::vector<KeyDoc>& out) {
            out.push_back({path, "0 to 1", "1 (off)", text});
        }};
}

const Section<Guardrails>& guardrails_section() {
    static const Section<Guardrails> section{
        number(
            "window_s",
            &Guardrails::window_s,
            1,
            3600,
            "Seconds back from now that are judged, four times a second."),
        number(
            "min_rows",
            &Guardrails::min_rows,
            1,
            1'000'000'000,
            "Rows the model must have scored within the window before it is judged."),
        number(
            "probation_s",
            &Guardrails::probation_s,
            1,
            604'800,
            "How long a model is judged after it became active. Shadows and canaries always are."),
        share(
            "max_alarm_rate",
            &Guardrails::max_alarm_rate,
            "Largest share of rows with a class other than `benign`."),
        share(
            "max_drop_share",
            &Guardrails::max_drop_share,
            "Largest share of packets that the model makes the slot drop; for a shadow, of rows "
            "that it would."),
        share(
            "max_class_shift",
            &Guardrails::max_class_shift,
            "Largest total variation distance of the model's class mix from the active one's (a "
            "newly active model: "
            "from its predecessor's)."),
        share(
            "max_disagreement",
            &Guardrails::max_disagreement,
            "Largest share of rows that a shadow or canary classes otherwise than the active "
            "model."),
        share(
            "max_saturation",
            &Guardrails::max_saturation,
            "Largest share of rows with a confidence of 99.9 % or more."),
        number(
            "max_added_p99_us",
            &Guardrails::max_added_p99_us,
            0,
            1'000'000,
            "Most microseconds that the 99th percentile of a burst's time may gain over the time "
            "before the model came. 0: off.")};
    return section;
}

const Section<Slot>& slot_section() {
    static const Section<Slot> section{
        word(
            "model",
            &Slot::model,
            read_model,
            "default, none, or a file",
            "What scores until another model is activated. `default`: the bundle that comes with "
            "Weir (slots "
            "`anomaly` and `qos`). `none`: nothing. Otherwise a bundle file, signed by a key in "
            "`control.keyring`."),
        score_key(),
        number(
            "hysteresis",
            &Slot::hysteresis,
            1,
            16,
            "Equal verdicts in a row that it takes to change a flow's decided class."),
        choice(
            "model_missing",
            &Slot::model_missing,
            kFailWords,
            "What happens to packets while the slot has no model."),
        number(
            "max_cycles_per_row",
            &Slot::max_cycles_per_row,
            1,
            1'000'000'000,
            "Budget of a model's cost in CPU cycles a row, predicted and then measured when a "
            "bundle is checked."),
        number(
            "model_ttl_s",
            &Slot::model_ttl_s,
            0,
            31'536'000,
            "Seconds after which the active model is stale. 0: never."),
        choice(
            "stale",
            &Slot::stale,
            {"last", "pass", "drop"},
            "What a slot with a stale model does. `last`: goes on with it. `pass`: nothing it "
            "decided acts. `drop`: drops "
            "the packets of every flow."),
        group("guardrails", &Slot::guardrails, guardrails_section),
        rules_key()};
    return section;
}

const Section<Fail>& fail_section() {
    static const Section<Fail> section{
        choice(
            "truncated", &Fail::truncated, kFailWords, "Packets that end before their headers do."),
        choice(
            "malformed",
            &Fail::malformed,
            kFailWords,
            "Packets whose headers contradict themselves."),
        choice(
            "unsupported",
            &Fail::unsupported,
            kFailWords,
            "Packets of a protocol that Weir does not take apart."),
        choice(
            "flow_table_full",
            &Fail::flow_table_full,
            kFailWords,
            "Packets of a new flow for which there is no room. `pass` forwards them unscored.")};
    return section;
}

const Section<ControlTls>& tls_section() {
    static const Section<ControlTls> section{
        word(
            "listen",
            &ControlTls::listen,
            read_text,
            "address:port, or \"\"",
            "Where the control API is also served over TCP, with mutual TLS 1.3 only. `\"\"` turns "
            "it off."),
        word(
            "certificate",
            &ControlTls::certificate,
            read_optional_file,
            "file",
            "The gateway's certificate chain (PEM). Read anew when it changes."),
        word(
            "key",
            &ControlTls::key,
            read_optional_file,
            "file",
            "Its private key (PEM), which nobody but the owner may read."),
        word(
            "client_ca",
            &ControlTls::client_ca,
            read_optional_file,
            "file",
            "Certificates (PEM) that clients' certificates must be issued by.")};
    return section;
}

Key<Control> principals(
    const char* name, std::vector<std::string> Control::*member, const char* text) {
    return list(
        name,
        member,
        [](Context& context, const Node& node, const std::string& path, std::string& out) {
            if (!read_text(context, node, path, out)) {
                return false;
            }
            if (const std::string wrong = check_principal(out); !wrong.empty()) {
                context.findings.add(
                    node.line,
                    path,
                    quote(out) + " " + wrong,
                    "write user:NAME, group:NAME, uid:N, gid:N or san:NAME");
                return false;
            }
            return true;
        },
        [](const std::string& item) { return item; },
        "list of user:, group:, uid:, gid:, san:",
        text);
}

const Section<Control>& control_section() {
    static const Section<Control> section{
        word(
            "socket",
            &Control::socket,
            read_file_name,
            "file",
            "Unix socket of the control API, which `weirctl` talks to. At most 107 characters."),
        word(
            "keyring",
            &Control::keyring,
            read_file_name,
            "directory",
            "Keys (`*.pub`, ed25519, one a file) that may sign models."),
        word(
            "state_dir",
            &Control::state_dir,
            read_file_name,
            "directory",
            "Where pushed models and the audit log are kept over restarts."),
        number(
            "max_bundle_mb",
            &Control::max_bundle_mb,
            1,
            1024,
            "Largest model bundle that is accepted, in MiB."),
        word(
            "sealing_keys",
            &Control::sealing_keys,
            read_optional_file,
            "directory",
            "Secret keys (`*.sealkey`, mode 0600) that sealed bundles may be encrypted to; read "
            "anew "
            "for each. Unset: sealed "
            "bundles are refused."),
        word(
            "group",
            &Control::group,
            read_text,
            "group, or \"\"",
            "Group of the control socket, whose members may connect. Empty: the group that weir "
            "runs as."),
        principals(
            "viewers",
            &Control::viewers,
            "Who may read. Whoever may connect to the socket may read anyway."),
        principals(
            "operators",
            &Control::operators,
            "Who may also push, try, promote and roll back models, set policy and reload."),
        principals(
            "admins",
            &Control::admins,
            "Who may also override what protects the gateway: older versions, and versions that a "
            "guardrail rolled back. "
            "Root and the user that runs weir are admins."),
        group("tls", &Control::tls, tls_section),
        number(
            "requests_per_s",
            &Control::requests_per_s,
            1,
            100'000,
            "Calls a second that one client may make, with bursts of twice as many; above, it is "
            "told to slow down. Admins are not held to it."),
        number(
            "contact_ttl_s",
            &Control::contact_ttl_s,
            0,
            31'536'000,
            "Seconds without a call by an operator or admin after which every slot's model is "
            "stale. 0: never."),
        number(
            "audit_max_mb",
            &Control::audit_max_mb,
            1,
            4096,
            "Size in MiB at which the audit log is rotated."),
        number("audit_keep", &Control::audit_keep, 1, 1000, "Rotated audit logs that are kept.")};
    return section;
}

const Section<Metrics>& metrics_section() {
    static const Section<Metrics> section{word(
        "listen",
        &Metrics::listen,
        read_text,
        "address:port, or \"\"",
        "Where Prometheus scrapes `/metrics`. IPv6 in brackets: `[::1]:9464`. Port 0 takes a free "
        "one. "
        "`\"\"` turns metrics off.")};
    return section;
}

const Section<Log>& log_section() {
    static const Section<Log> section{log_level_key()};
    return section;
}

}  // namespace

const Section<Port>& port_section() {
    static const Section<Port> section{
        word(
            "name",
            &Port::name,
            read_text,
            "a-z 0-9 _ -, 1 to 32",
            "The operator's name of the port, in `pairs`, `taps`, messages and metrics.",
            true),
        word(
            "device",
            &Port::device,
            read_text,
            "DPDK device",
            "A PCI address (`0000:01:00.0`), or a virtual device with its arguments "
            "(`net_af_packet0,iface=eth0`).",
            true),
        number(
            "mtu",
            &Port::mtu,
            68,
            16384,
            "Largest IP packet in bytes. Above 1500: jumbo frames, which the peer port must take "
            "as well."),
        flag(
            "promiscuous",
            &Port::promiscuous,
            "Take frames for every MAC address. A bump in the wire and a mirror port need it."),
        number(
            "rx_descriptors",
            &Port::rx_descriptors,
            64,
            32768,
            "Receive ring of each queue, in packets."),
        number(
            "tx_descriptors",
            &Port::tx_descriptors,
            64,
            32768,
            "Transmit ring of each queue, in packets.")};
    return section;
}

const Section<Slot>& slots_section() {
    return slot_section();
}

const Section<Config>& config_section() {
    static const Section<Config> section{
        group("eal", &Config::eal, eal_section),
        group("workers", &Config::workers, workers_section),
        ports_key(),
        pairs_key(),
        taps_key(),
        slots_key(),
        list(
            "never_remark",
            &Config::never_remark,
            read_dscp,
            dscp_name,
            "list of DSCPs",
            "Packets that carry one of these keep it, whatever a rule says."),
        group("policy", &Config::policy, policy_section),
        policies_key(),
        group("fail", &Config::fail, fail_section),
        group("control", &Config::control, control_section),
        group("metrics", &Config::metrics, metrics_section),
        group("log", &Config::log, log_section)};
    return section;
}

const std::vector<KeyDoc>& all_keys() {
    static const std::vector<KeyDoc> keys = [] {
        std::vector<KeyDoc> out;
        describe_section({}, config_section(), defaults(), out);
        return out;
    }();
    return keys;
}

}  // namespace weir::config
