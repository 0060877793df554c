// SPDX-License-Identifier: BSD-3-Clause
// The one table of weir.yaml: a key is added here and nowhere else.
#include "config/keys.h"

#include "config/load.h"
#include "config/schema.h"
#include "config/sections.h"

namespace weir::config {

namespace {

const Section<Eal>& eal_section() {
    static const Section<Eal> section{
        choice(
            "hugepages",
            &Eal::hugepages,
            {"auto", "require", "off"},
            "Whether packet memory is hugepages, and that of flows and hosts where enough are "
            "free. `auto` takes them if the machine has free ones "
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

const Section<Overload>& overload_section() {
    static const Section<Overload> section{
        flag(
            "enabled",
            &Overload::enabled,
            "Whether a worker that cannot keep up sheds inference, in steps: only due packets "
            "(powers of two of a flow), only early ones, none. Packets are forwarded in every "
            "step. Off: queues fill, and the ports lose packets."),
        number(
            "queue_high_percent",
            &Overload::queue_high_percent,
            2,
            100,
            "Fill of a receive ring, on average, from which a worker counts as pressed. Of ports "
            "that cannot tell, full receive bursts in a row stand for it."),
        number(
            "queue_low_percent",
            &Overload::queue_low_percent,
            1,
            99,
            "Fill up to which it counts as calm. Less than `queue_high_percent`."),
        number(
            "burst_budget_us",
            &Overload::burst_budget_us,
            0,
            1'000'000,
            "Microseconds that one burst may take. Where half of them take longer, the worker is "
            "pressed whatever its queues hold. 0: any time."),
        number("up_ms", &Overload::up_ms, 1, 10'000, "Pressure that lasts so long sheds one step."),
        number(
            "down_ms",
            &Overload::down_ms,
            1,
            600'000,
            "Calm that lasts so long takes one step back. Each return that pressure undoes doubles "
            "the wait, up to 64-fold. Not less than `up_ms`."),
        number(
            "early_packets",
            &Overload::early_packets,
            1,
            1'000'000,
            "Packets of a flow that the step before the last still scores.")};
    return section;
}

const Section<Idle>& idle_section() {
    static const Section<Idle> section{
        flag(
            "sleep",
            &Idle::sleep,
            "Whether a worker to which nothing comes sleeps between polls. Off: it polls without "
            "pause, and its CPU is always busy."),
        choice(
            "wait",
            &Idle::wait,
            {"auto", "sleep", "interrupt"},
            "How it waits. `auto`: by the CPU's power monitor where CPU and ports have one, else "
            "by short sleeps; `sleep`: by short sleeps; `interrupt`: until a port tells by "
            "interrupt that packets came, where every port can, else as `auto`. None of it costs "
            "anything while packets come."),
        number(
            "spin_us",
            &Idle::spin_us,
            0,
            10'000'000,
            "Microseconds without a packet until the first sleep."),
        number(
            "first_us",
            &Idle::first_us,
            1,
            10'000,
            "Microseconds of the first sleep; each further one is twice as long."),
        number(
            "longest_us",
            &Idle::longest_us,
            1,
            10'000,
            "Microseconds of the longest sleep. A packet that ends the quiet waits for so long at "
            "most, plus the kernel's time to wake a thread; the receive ring holds what comes "
            "meanwhile. Not less than `first_us`.")};
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
        choice(
            "distribute",
            &Workers::distribute,
            {"auto", "rss", "software"},
            "Who spreads flows over several workers. `rss`: the ports, by a hash that is the same "
            "for both directions where they can, else in their own way. `software`: the "
            "distributor, a thread that takes all packets and hands each to the worker of its "
            "flow, the inner one of a tunnel, fragments included. `auto`: `rss` if every port can "
            "do it symmetrically, else `software`. Without effect on one worker."),
        number(
            "distributor_lcore",
            &Workers::distributor_lcore,
            0,
            kMaxLcore,
            "CPU of the distributor, if there is one. Not a worker's; it may be `eal.main_lcore`, "
            "which it then shares with control."),
        number("burst", &Workers::burst, 1, 64, "Packets that a worker takes from a port at once."),
        number(
            "gather_us",
            &Workers::gather_us,
            0,
            1000,
            "Microseconds for which a worker goes on taking bursts into one batch, up to 256 "
            "packets, while they come back full: large batches are scored faster. It never waits "
            "for packets. 0: a burst of each port is a batch."),
        group("flow_table", &Workers::flow_table, flow_table_section),
        group("overload", &Workers::overload, overload_section),
        group("idle", &Workers::idle, idle_section)};
    return section;
}

const Section<Features>& features_section() {
    static const Section<Features> section{flag(
        "payload",
        &Features::payload,
        "Whether workers look into payloads: the first 32 each way of a flow, 512 bytes of each at "
        "most, for the feature group `payload`. Takes 64 bytes a flow of each worker's table, and "
        "no time while no model reads the group. Off: a model that reads it is refused.")};
    return section;
}

const Section<Fail>& fail_section() {
    static const Section<Fail> section{
        choice(
            "truncated",
            &Fail::truncated,
            fail_words(),
            "Packets that end before their headers do."),
        choice(
            "malformed",
            &Fail::malformed,
            fail_words(),
            "Packets whose headers contradict themselves."),
        choice(
            "unsupported",
            &Fail::unsupported,
            fail_words(),
            "Packets of a protocol that Weir does not take apart."),
        choice(
            "flow_table_full",
            &Fail::flow_table_full,
            fail_words(),
            "Packets of a new flow for which there is no room. `pass` forwards them unscored.")};
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

const std::vector<std::string_view>& fail_words() {
    static const std::vector<std::string_view> words{"pass", "drop"};
    return words;
}

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

const Section<Config>& config_section() {
    static const Section<Config> section{
        group("eal", &Config::eal, eal_section),
        group("workers", &Config::workers, workers_section),
        group("features", &Config::features, features_section),
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
        group("shaping", &Config::shaping, shaping_section),
        group("fail", &Config::fail, fail_section),
        group("control", &Config::control, control_section),
        group("metrics", &Config::metrics, metrics_section),
        export_key(),
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
