// SPDX-License-Identifier: BSD-3-Clause
// The keys of `policy` that say how rows act: meters, limits, mirror, budget.
#include "config/load.h"
#include "config/sections.h"

namespace weir::config {

namespace {

constexpr std::uint64_t kMostKbps = 400'000'000;
constexpr std::uint64_t kLeastBurst = 1500;
constexpr std::uint64_t kMostBurst = 1'000'000'000;

Key<Meter> colour(std::string name, ColourAction Meter::*member, std::string text) {
    return {
        std::move(name),
        false,
        [=](Context& context, const Node& node, const std::string& path, Meter& out) {
            const bool word = node.kind == Node::Kind::scalar;
            std::uint8_t dscp = 0;
            if (word && (node.text == "pass" || node.text == "drop")) {
                out.*member = {node.text == "pass" ? ActionKind::pass : ActionKind::drop, 0};
            } else if (read_dscp(context, node, path, dscp)) {
                out.*member = {ActionKind::mark, dscp};
            }
        },
        [=](const std::string& path, const Meter& defaults, std::vector<KeyDoc>& out) {
            const bool pass = (defaults.*member).kind == ActionKind::pass;
            out.push_back({path, "pass, drop, or a DSCP", pass ? "pass" : "drop", text});
        }};
}

const Section<Meter>& meter_section() {
    static const Section<Meter> section{
        choice(
            "algorithm",
            &Meter::algorithm,
            {"srtcm", "trtcm", "trtcm4115"},
            "Single rate (RFC 2697), two rates (RFC 2698), or two rates of which the second is "
            "beside the first (RFC 4115). Colour-blind."),
        choice(
            "per",
            &Meter::per,
            {"meter", "class", "flow"},
            "What shares one bucket: all rows that name the meter, each class of the row's slot, "
            "or each flow."),
        number(
            "cir_kbps",
            &Meter::cir_kbps,
            8,
            kMostKbps,
            "Committed rate in kb/s of IP bytes, for each worker."),
        number("cbs_bytes", &Meter::cbs_bytes, kLeastBurst, kMostBurst, "Committed burst."),
        number(
            "excess_kbps",
            &Meter::excess_kbps,
            0,
            kMostKbps,
            "Second rate: trtcm's peak (PIR), trtcm4115's excess (EIR)."),
        number(
            "excess_bytes",
            &Meter::excess_bytes,
            kLeastBurst,
            kMostBurst,
            "Second burst: EBS; of trtcm the PBS."),
        colour("yellow", &Meter::yellow, "What is done with packets beyond the committed rate."),
        colour("red", &Meter::red, "What is done with packets beyond both bursts.")};
    return section;
}

const Section<NewFlows>& new_flows_section() {
    static const Section<NewFlows> section{
        number(
            "per_source_per_s",
            &NewFlows::per_source_per_s,
            0,
            1'000'000,
            "Flows a second that one source address may begin at each worker; what is beyond is "
            "dropped (`new_flow_rate`). 0: no limit."),
        number("burst", &NewFlows::burst, 1, 1'000'000, "Flows it may begin at once.")};
    return section;
}

const Section<Mirror>& mirror_section() {
    static const Section<Mirror> section{
        word(
            "port",
            &Mirror::port,
            read_text,
            "port, or \"\"",
            "Where copies of the packets go that rows mirror. Best a port that is a tap "
            "otherwise."),
        number("one_in", &Mirror::one_in, 1, 1'000'000, "Of so many such packets one is copied."),
        word(
            "file",
            &Mirror::file,
            read_optional_file,
            "file, or \"\"",
            "pcapng file that gets copies as well, payload and all, each with its verdict in the "
            "packet's comment. Mode 0600. Workers never wait for it: what it is too slow for is "
            "lost and counted. Unset: off. Changing this or one of the next five needs a restart."),
        number(
            "snap_bytes",
            &Mirror::snap_bytes,
            64,
            9216,
            "Bytes of a packet that the file keeps; the rest is cut."),
        number(
            "queue_packets",
            &Mirror::queue_packets,
            64,
            65'536,
            "Copies of each worker that may wait for the file; each takes `snap_bytes` of "
            "`eal.memory_mb`."),
        number(
            "rotate_mb",
            &Mirror::rotate_mb,
            0,
            1U << 20U,
            "Size in MiB at which the file is rotated to `FILE.1`, `FILE.2` and so on. 0: not by "
            "size."),
        number(
            "rotate_s",
            &Mirror::rotate_s,
            0,
            31'536'000,
            "Seconds after which the file is rotated. 0: not by time."),
        number("keep", &Mirror::keep, 1, 1000, "Rotated files that are kept.")};
    return section;
}

const Section<Budget>& budget_section() {
    static const Section<Budget> section{
        number(
            "flows",
            &Budget::flows,
            0,
            100'000'000,
            "False-alarm budget: flows that the rules of a worker may drop or reset in a window. "
            "Each time it is spent, enforcement steps down: what would be dropped is metered, then "
            "only marked, then only observed (`weir_enforcement_level`). 0: no limit."),
        number("window_s", &Budget::window_s, 1, 86400, "Length of a window in seconds."),
        word(
            "police",
            &Budget::police,
            read_text,
            "meter, or \"\"",
            "The meter of the first step down. Empty: straight to marking."),
        Key<Budget>{
            "dscp",
            false,
            [](Context& context, const Node& node, const std::string& path, Budget& out) {
                read_dscp(context, node, path, out.dscp);
            },
            [](const std::string& path, const Budget& defaults, std::vector<KeyDoc>& out) {
                out.push_back(
                    {path,
                     "RFC name, or 0 to 63",
                     dscp_name(defaults.dscp),
                     "The mark of the second step down."});
            }},
        number(
            "recover_s",
            &Budget::recover_s,
            1,
            604800,
            "Seconds without an overspent window after which enforcement goes up one step.")};
    return section;
}

}  // namespace

Key<PolicyUse> meters_key() {
    return {
        "meters",
        false,
        [](Context& context, const Node& node, const std::string& path, PolicyUse& out) {
            if (!expect_map(context, node, path)) {
                return;
            }
            for (std::size_t i = 0; i < node.keys.size(); ++i) {
                const std::string child = join_path(path, node.keys[i].text);
                context.lines[child] = node.keys[i].line;
                read_section(
                    context, node.items[i], child, meter_section(), out.meters[node.keys[i].text]);
            }
        },
        [](const std::string& path, const PolicyUse& /*d*/, std::vector<KeyDoc>& out) {
            out.push_back(
                {path,
                 "map of name to meter",
                 "{}",
                 "Meters, at most 16, that rows name with `police`. Their time is the packets'."});
            describe_section(path + ".NAME", meter_section(), Meter{}, out);
        }};
}

Key<PolicyUse> new_flows_key() {
    return group("new_flows", &PolicyUse::new_flows, new_flows_section);
}

Key<PolicyUse> mirror_key() {
    return group("mirror", &PolicyUse::mirror, mirror_section);
}

Key<PolicyUse> budget_key() {
    return group("budget", &PolicyUse::budget, budget_section);
}

}  // namespace weir::config
