// SPDX-License-Identifier: BSD-3-Clause
// weirctl status, ports, top
#include "control/ctl/client.h"
#include "control/ctl/interrupt.h"
#include "control/ctl/print.h"
#include "control/ctl/rates.h"
#include "control/ctl/stream_end.h"

#include <cerrno>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <string>

#include <sys/ioctl.h>

#include <unistd.h>

namespace weir::ctl {

namespace {

std::string number(std::uint64_t value) {
    return std::to_string(value);
}

std::string model_of(const v1::Slot& slot) {
    return slot.has_active() ? slot.active().name() + "@" + std::to_string(slot.active().version())
                             : "none";
}

std::string microseconds(double us) {
    return metric_prefix(us * 1e-6) + "s";
}

std::string ports_text(const google::protobuf::RepeatedPtrField<v1::Port>& ports) {
    TextTable table;
    table.row(
        {"PORT",
         "DEVICE",
         "PEER",
         "LINK",
         "MTU",
         "RX PACKETS",
         "TX PACKETS",
         "MISSED",
         "ERRORS",
         "NO BUFFER"});
    for (const auto& port : ports) {
        const std::string speed =
            port.link_mbps() == 0 ? "" : " " + metric_prefix(port.link_mbps() * 1e6) + "bit/s";
        table.row(
            {port.name(),
             port.device(),
             port.peer().empty() ? "(tap)" : port.peer(),
             port.link_up() ? "up" + speed : "down",
             number(port.mtu()),
             number(port.rx_packets()),
             number(port.tx_packets()),
             number(port.rx_missed()),
             number(port.rx_errors()),
             number(port.rx_nombuf())});
    }
    return table.text();
}

std::string distributor_text(const v1::Distributor& distributor) {
    std::string out = "distributor on lcore " + number(distributor.lcore()) + "  received " +
                      number(distributor.received_packets()) + "  lost " +
                      number(distributor.lost_packets()) + "  sent " +
                      number(distributor.sent_packets()) + "\n";
    TextTable rings;
    rings.row({"WORKER", "HANDED", "WAITING", "OF"});
    for (int w = 0; w < distributor.rings_size(); ++w) {
        rings.row(
            {number(static_cast<std::uint64_t>(w)),
             number(distributor.rings(w).handed_packets()),
             number(distributor.rings(w).waiting_packets()),
             number(distributor.ring_packets())});
    }
    return out + rings.text();
}

std::string status_text(const v1::Status& status) {
    std::string out = "weir " + status.version() + ", process " + number(status.pid()) + ", up " +
                      duration(status.uptime_seconds()) + ", " + status.config_file() + "\n";
    out += "packets  in " + number(status.rx_packets()) + "  out " + number(status.tx_packets()) +
           "  dropped " + number(status.dropped_packets()) + "  marked " +
           number(status.marked_packets()) + "\n";
    for (const auto& drop : status.drops()) {
        if (drop.packets() > 0) {
            out += "  " + drop.reason() + " " + number(drop.packets()) + ": " + drop.description() +
                   "\n";
        }
    }
    out += "models   generation " + number(status.generation()) + ", " + number(status.swaps()) +
           " snapshots published\n";
    for (const auto& slot : status.slots()) {
        out += "  " + slot.name() + ": " + model_of(slot) + ", " + number(slot.scored()) +
               " rows scored, " + number(slot.changes()) + " changes\n";
        for (const auto& count : slot.verdicts()) {
            out += "    " + count.class_name() + " " + number(count.rows()) + "\n";
        }
    }
    out += overrides_text(status.overrides());
    if (status.has_distributor()) {
        out += distributor_text(status.distributor());
    }
    TextTable workers;
    workers.row(
        {"WORKER",
         "LCORE",
         "RX PACKETS",
         "TX PACKETS",
         "DROPPED",
         "FLOWS",
         "OF",
         "EVICTED",
         "GENERATION"});
    for (const auto& worker : status.workers()) {
        workers.row(
            {number(worker.index()),
             number(worker.lcore()),
             number(worker.rx_packets()),
             number(worker.tx_packets()),
             number(worker.dropped_packets()),
             number(worker.flows()),
             number(worker.flow_capacity()),
             number(worker.flows_evicted()),
             number(worker.snapshot_generation())});
    }
    out += workers.text();
    TextTable load;
    load.row(
        {"WORKER",
         "SCORES",
         "UNSCORED",
         "ADDED P50",
         "P99",
         "P99.9",
         "MAX",
         "WAITS BY",
         "SHARED HOSTS"});
    for (const auto& worker : status.workers()) {
        const auto& added = worker.added_latency();
        load.row(
            {number(worker.index()),
             worker.overload_step(),
             number(worker.unscored_packets()),
             microseconds(added.p50_us()),
             microseconds(added.p99_us()),
             microseconds(added.p999_us()),
             microseconds(added.max_us()),
             worker.idle_wait(),
             number(worker.shared_hosts())});
    }
    out += load.text();
    if (!status.metrics_url().empty()) {
        out += "metrics  " + status.metrics_url() + "\n";
    }
    return out;
}

std::string top_text(const v1::Status& before, const v1::Status& now) {
    const Rates rates = rates_between(before, now);
    std::string out = "weir " + now.version() + "  up " + duration(now.uptime_seconds()) +
                      "  generation " + number(now.generation()) + "\n";
    out += "in " + metric_prefix(rates.rx_pps) + "pps " + metric_prefix(rates.rx_bps) +
           "bit/s   out " + metric_prefix(rates.tx_pps) + "pps " + metric_prefix(rates.tx_bps) +
           "bit/s   dropped " + metric_prefix(rates.dropped_pps) + "pps   marked " +
           metric_prefix(rates.marked_pps) + "pps\n\n";
    TextTable workers;
    workers.row({"WORKER", "RX PPS", "CYCLES/PACKET", "BURST", "BUSY", "FLOWS", "NEW/S"});
    for (const auto& worker : rates.workers) {
        workers.row(
            {worker.name,
             metric_prefix(worker.rx_pps),
             metric_prefix(worker.cycles_per_packet),
             metric_prefix(worker.packets_per_burst),
             metric_prefix(worker.busy * 100.0) + "%",
             number(worker.flows),
             metric_prefix(worker.created_per_s)});
    }
    out += workers.text() + "\n";
    TextTable load;
    load.row({"WORKER", "SCORES", "UNSCORED/S", "ADDED P50", "P99", "P99.9", "MAX"});
    for (const auto& worker : rates.workers) {
        load.row(
            {worker.name,
             worker.overload_step,
             metric_prefix(worker.unscored_pps),
             microseconds(worker.added.p50_us),
             microseconds(worker.added.p99_us),
             microseconds(worker.added.p999_us),
             microseconds(worker.added.max_us)});
    }
    out += load.text() + "\n";
    TextTable classes;
    classes.row({"SLOT", "MODEL", "CLASS", "ROWS/S", "ROWS"});
    for (const auto& cls : rates.classes) {
        classes.row(
            {cls.slot, cls.model, cls.name, metric_prefix(cls.rows_per_s), number(cls.rows)});
    }
    out += classes.text();
    TextTable drops;
    drops.row({"DROPPED", "PPS", "PACKETS"});
    for (const auto& drop : rates.drops) {
        drops.row({drop.reason, metric_prefix(drop.pps), number(drop.packets)});
    }
    return drops.empty() ? out : out + "\n" + drops.text();
}

void show_on_screen(const std::string& text) {
    winsize size{};
    if (::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0) {
        size = {};
    }
    std::fputs(screen(text, size.ws_row, size.ws_col).c_str(), stdout);
}

/// Seconds of --interval; none: not within bounds.
std::optional<double> interval_of(const Call& call) {
    const std::string text = call.get("interval");
    char* end = nullptr;
    const double seconds = std::strtod(text.c_str(), &end);
    const bool good = end != text.c_str() && *end == '\0' && seconds >= 0.1 && seconds <= 60.0;
    return good ? std::optional(seconds) : std::nullopt;
}

}  // namespace

Exit run_status(Client& client, const Call& call) {
    v1::Status status;
    const auto context = client.context();
    if (const auto got = client.stub().GetStatus(context.get(), {}, &status); !got.ok()) {
        return client.report_status(call, got);
    }
    if (call.json) {
        print_json(status);
    } else {
        std::fputs(status_text(status).c_str(), stdout);
    }
    return Exit::ok;
}

Exit run_ports(Client& client, const Call& call) {
    v1::ListPortsReply reply;
    const auto context = client.context();
    if (const auto got = client.stub().ListPorts(context.get(), {}, &reply); !got.ok()) {
        return client.report_status(call, got);
    }
    if (call.json) {
        print_json(reply);
    } else {
        std::fputs(ports_text(reply.ports()).c_str(), stdout);
    }
    return Exit::ok;
}

Exit run_top(Client& client, const Call& call) {
    const auto interval = interval_of(call);
    if (!interval) {
        return report(
            call,
            "INVALID_ARGUMENT",
            "--interval: '" + call.get("interval") + "' is not within 0.1 to 60 seconds",
            Exit::bad_input);
    }
    const bool once = call.has("once");
    v1::WatchStatusRequest request;
    request.set_interval_ms(static_cast<std::uint32_t>(std::lround(*interval * 1000.0)));
    const auto context = once ? client.context(*interval) : Client::endless_context();
    const Interrupt interrupt(*context);
    const auto reader = client.stub().WatchStatus(context.get(), request);
    const bool on_screen = !call.json && !once && ::isatty(STDOUT_FILENO) == 1;
    v1::Status before;
    v1::Status now;
    int trouble = 0;  // an errno
    bool done = false;
    for (bool first = true; !done && reader->Read(&now); first = false) {
        if (!first && call.json) {
            std::printf("%s\n", rates_json(before, now).dump().c_str());
        } else if (!first && on_screen) {
            show_on_screen(top_text(before, now));
        } else if (!first) {
            std::fputs(top_text(before, now).c_str(), stdout);
        }
        // Nobody reads any more, or the disk is full: there is nobody to go on for.
        trouble = std::fflush(stdout) != 0 ? errno : 0;
        done = trouble != 0 || (!first && once);
        before.Swap(&now);
    }
    return end_stream(client, call, *context, *reader, {done, trouble});
}

}  // namespace weir::ctl
