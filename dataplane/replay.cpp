// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/replay.h"

#include "dataplane/capture_writer.h"
#include "dataplane/eal.h"
#include "dataplane/rx_callback.h"
#include "dataplane/snapshot_build.h"

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <mutex>

#include <sys/stat.h>

#include <rte_ethdev.h>
#include <rte_mbuf.h>
#include <rte_mbuf_dyn.h>

#include <fcntl.h>
#include <pcap/pcap.h>
#include <sched.h>
#include <unistd.h>

namespace weir::dataplane {

namespace {

constexpr std::uint64_t kNsPerS = 1'000'000'000;
constexpr std::size_t kRecords = 4096;

struct PcapClose {
    void operator()(pcap_t* pcap) const noexcept { pcap_close(pcap); }
};

class FileHandle {
  public:
    explicit FileHandle(const std::string& path)
        : fd_(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)) {}
    ~FileHandle() {
        if (fd_ >= 0) {
            close(fd_);
        }
    }
    FileHandle(const FileHandle&) = delete;
    FileHandle& operator=(const FileHandle&) = delete;
    [[nodiscard]] int fd() const noexcept { return fd_; }
    /// A path that opens the same file whatever characters its name has (device arguments are comma-separated).
    [[nodiscard]] std::string path() const { return "/proc/self/fd/" + std::to_string(fd_); }

  private:
    int fd_;
};

[[nodiscard]] Result<void> check_regular(const std::string& path, const FileHandle& file) {
    struct stat status {};
    if (file.fd() < 0 || fstat(file.fd(), &status) != 0) {
        return fail(
            path,
            {},
            std::string("cannot open: ") + std::strerror(errno),
            "check the path and its permissions");
    }
    if (!S_ISREG(status.st_mode)) {
        return fail(path, {}, "not a regular file", "name a pcap or pcapng file");
    }
    return {};
}

[[nodiscard]] Result<std::unique_ptr<pcap_t, PcapClose>> open_capture(
    const std::string& path, const FileHandle& file) {
    char message[PCAP_ERRBUF_SIZE] = {};
    std::unique_ptr<pcap_t, PcapClose> pcap(pcap_open_offline_with_tstamp_precision(
        file.path().c_str(), PCAP_TSTAMP_PRECISION_NANO, message));
    if (pcap == nullptr) {
        std::string said = message;
        if (const auto at = said.find(file.path() + ": "); at != std::string::npos) {
            said.erase(at, file.path().size() + 2);
        }
        return fail(path, {}, "not a readable capture: " + said, "give a pcap or pcapng file");
    }
    if (pcap_datalink(pcap.get()) != DLT_EN10MB) {
        const char* name = pcap_datalink_val_to_name(pcap_datalink(pcap.get()));
        return fail(
            path,
            {},
            std::string("link type ") + (name != nullptr ? name : "unknown") + " is not Ethernet",
            "capture on an Ethernet interface, or convert the file");
    }
    return pcap;
}

// net_pcap measures frames beyond 64 KiB in 16 bits: their chain holds less than pkt_len says.
std::uint16_t repair_lengths(
    std::uint16_t, std::uint16_t, rte_mbuf* packets[], std::uint16_t count, std::uint16_t, void*) {
    for (std::uint16_t i = 0; i < count; ++i) {
        if (packets[i]->pkt_len <= UINT16_MAX) {
            continue;
        }
        std::uint32_t length = 0;
        for (const rte_mbuf* segment = packets[i]; segment != nullptr; segment = segment->next) {
            length += segment->data_len;
        }
        packets[i]->pkt_len = length;
    }
    return count;
}

// DPDK's lists of devices, pools and rings are changed by one thread at a time, and names are a process's own.
std::mutex devices;
std::atomic<std::uint32_t> serial{0};

// Ports, publisher, worker and output of one replay. Opened and destroyed with `devices` held.
class Session {
  public:
    [[nodiscard]] Result<void> open(const ReplayOptions& options, const FileHandle& file);
    [[nodiscard]] Result<ReplayResult> play(
        const ReplayOptions& options, const CaptureInfo& capture);

  private:
    void deliver(const ReplayOptions& options);

    Ports ports_;
    RxCallback repair_;
    LinkStates links_{};
    std::unique_ptr<CaptureWriter> writer_;
    std::unique_ptr<Publisher> publisher_;
    std::unique_ptr<Worker> worker_;
    std::vector<FlowRecord> records_ = std::vector<FlowRecord>(kRecords);
};

Result<void> Session::open(const ReplayOptions& options, const FileHandle& file) {
    const std::string number = std::to_string(serial.fetch_add(1));
    const std::vector<config::Port> ports{
        {.name = "in", .device = "net_pcap_replay" + number + ",rx_pcap=" + file.path()},
        {.name = "out", .device = "net_null_replay" + number + ",no-rx=1"}};
    if (auto ok = ports_.start(ports, 1); !ok) {
        return fail(options.in, {}, ok.error().what, ok.error().fix);
    }
    const std::uint16_t in = ports_.handles()[0].port_id;
    const std::uint16_t out = ports_.handles()[1].port_id;
    if (!repair_.add(in, repair_lengths)) {
        return fail(options.in, {}, "no memory for a receive callback", "free some memory");
    }
    links_[0].store(true);
    links_[1].store(true);

    WorkerOptions worker;
    worker.burst = static_cast<std::uint16_t>(options.config.workers.burst);
    worker.gather_us = options.gather_us;
    worker.ports = {WorkerPort{in, 0, 1, 0}, WorkerPort{out, 0, 0, 0}};
    worker.links = &links_;
    worker.flow_table = options.config.workers.flow_table;
    worker.payload = options.config.features.payload;
    worker.slots = static_cast<std::uint32_t>(options.config.slots.size());
    worker.seed = kReplaySeed;
    worker.tap = options.tap;
    worker.time.timestamp_offset =
        rte_mbuf_dynfield_lookup(RTE_MBUF_DYNFIELD_TIMESTAMP_NAME, nullptr);
    const int flag = rte_mbuf_dynflag_lookup(RTE_MBUF_DYNFLAG_RX_TIMESTAMP_NAME, nullptr);
    if (worker.time.timestamp_offset < 0 || flag < 0) {
        return fail(options.in, {}, "net_pcap gives no packet times", "use DPDK 22.11 or later");
    }
    worker.time.timestamp_flag = std::uint64_t{1} << flag;
    if (!options.out.empty()) {
        auto writer = CaptureWriter::create(options.out, out, worker.time.timestamp_offset);
        if (!writer) {
            return tl::unexpected(writer.error());
        }
        writer_ = std::move(*writer);
    }
    auto publisher = Publisher::create(1, build_snapshot(options.config, options.models, 1));
    if (!publisher) {
        return tl::unexpected(publisher.error());
    }
    publisher_ = std::move(*publisher);
    auto created = Worker::create(std::move(worker), *publisher_);
    if (!created) {
        return tl::unexpected(created.error());
    }
    worker_ = std::move(*created);
    return {};
}

void Session::deliver(const ReplayOptions& options) {
    for (;;) {
        const std::uint32_t taken = worker_->events().pop(records_);
        for (std::uint32_t i = 0; i < taken && options.on_flow; ++i) {
            options.on_flow(records_[i]);
        }
        if (taken < records_.size()) {
            return;
        }
    }
}

Result<ReplayResult> Session::play(const ReplayOptions& options, const CaptureInfo& capture) {
    constexpr std::uint32_t kPollsPerProgress = 1024;
    const auto start = std::chrono::steady_clock::now();
    std::uint64_t received = 0;
    for (std::uint32_t polls = 1;; ++polls) {
        const std::uint32_t now = worker_->poll();
        deliver(options);
        received += now;
        if (options.on_progress && polls % kPollsPerProgress == 0) {
            options.on_progress(received, capture.packets);
        }
        if (now == 0) {
            break;  // net_pcap has nothing more
        }
    }
    while (!worker_->flush(kRecords)) {
        deliver(options);
    }
    deliver(options);
    const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - start;

    if (received != capture.packets) {
        return fail(
            options.in,
            {},
            "only " + std::to_string(received) + " of " + std::to_string(capture.packets) +
                " packets could be read",
            "did the file change while it was read?");
    }
    if (writer_ != nullptr) {
        if (auto ok = writer_->commit(); !ok) {
            return tl::unexpected(ok.error());
        }
    }
    const WorkerStats& stats = worker_->stats();
    ReplayResult result;
    result.capture_packets = capture.packets;
    result.capture_span_ns =
        capture.last_ns > capture.first_ns ? capture.last_ns - capture.first_ns : 0;
    add_totals(stats, result.totals);
    for (std::size_t r = 0; r < result.parsed.size(); ++r) {
        result.parsed[r] = stats.parsed[r].get();
    }
    for (std::size_t s = 0; s < kMaxSlots; ++s) {
        result.scored[s] = stats.slots[s].scored.get();
    }
    result.flows = stats.flows_created.get();
    result.flows_evicted = stats.flows_evicted.get();
    result.flows_refused = stats.flows_refused.get();
    result.records_lost = stats.events_lost.get();
    result.seconds = elapsed.count();
    return result;
}

}  // namespace

Result<void> check_capture(const std::string& path) {
    const FileHandle file(path);
    if (auto ok = check_regular(path, file); !ok) {
        return ok;
    }
    if (auto pcap = open_capture(path, file); !pcap) {
        return tl::unexpected(pcap.error());
    }
    return {};
}

Result<CaptureInfo> scan_capture(const std::string& path) {
    const FileHandle file(path);
    if (auto ok = check_regular(path, file); !ok) {
        return tl::unexpected(ok.error());
    }
    const auto opened = open_capture(path, file);
    if (!opened) {
        return tl::unexpected(opened.error());
    }
    pcap_t* const pcap = opened->get();
    CaptureInfo info;
    pcap_pkthdr* header = nullptr;
    const u_char* data = nullptr;
    int status = 0;
    while ((status = pcap_next_ex(pcap, &header, &data)) == 1) {
        const std::uint64_t now = static_cast<std::uint64_t>(header->ts.tv_sec) * kNsPerS +
                                  static_cast<std::uint64_t>(header->ts.tv_usec);
        info.first_ns = info.packets == 0 ? now : info.first_ns;
        info.last_ns = now;
        info.bytes += header->caplen;
        ++info.packets;
    }
    if (status != PCAP_ERROR_BREAK) {
        return fail(
            path,
            {},
            "broken after packet " + std::to_string(info.packets) + ": " + pcap_geterr(pcap),
            "the capture was cut or damaged; repair it, for instance with editcap");
    }
    return info;
}

Result<ReplayResult> replay(const ReplayOptions& options) {
    const auto capture = scan_capture(options.in);
    if (!capture) {
        return tl::unexpected(capture.error());
    }
    const FileHandle file(options.in);
    if (auto ok = check_regular(options.in, file); !ok) {
        return tl::unexpected(ok.error());
    }
    const std::unique_ptr<Session, void (*)(Session*)> session(new Session, [](Session* closing) {
        const std::lock_guard lock(devices);
        delete closing;
    });
    {
        const std::lock_guard lock(devices);
        if (auto ok = session->open(options, file); !ok) {
            return tl::unexpected(ok.error());
        }
    }
    return session->play(options, *capture);
}

Result<void> start_replay_eal(std::uint32_t at_once) {
    constexpr std::uint32_t kMegabytes = 104;
    constexpr std::uint32_t kMegabytesPerReplay = 32;
    EalOptions options;
    options.eal.main_lcore = static_cast<std::uint32_t>(std::max(0, sched_getcpu()));
    options.eal.hugepages = config::Hugepages::off;
    options.eal.memory_mb = kMegabytes + kMegabytesPerReplay * at_once;
    return start_eal(options);
}

}  // namespace weir::dataplane
