// SPDX-License-Identifier: BSD-3-Clause
#include "perf/path_traffic.h"

#include "dataplane/byte_order.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <memory>
#include <new>
#include <random>
#include <vector>

#include <sys/mman.h>

#include <rte_mbuf.h>
#include <rte_prefetch.h>

#include <pcap/pcap.h>

namespace weir::perf {
namespace {

using dataplane::put16;
using dataplane::put32;

constexpr std::size_t kEthernetBytes = 14;
constexpr std::size_t kRecordAt = 16;  // offset in the frame
constexpr std::uint32_t kMostRecords = 1U << 24;
constexpr std::uint32_t kFewestRecords = 1U << 20;
constexpr std::size_t kHeaderBytes = 64;

[[nodiscard]] std::uint64_t mix(std::uint64_t x) noexcept {
    x = (x ^ (x >> 33)) * 0xff51afd7ed558ccdU;
    x = (x ^ (x >> 33)) * 0xc4ceb9fe1a85ec53U;
    return x ^ (x >> 33);
}

struct Ends {
    std::uint32_t client;
    std::uint32_t server;
    std::uint16_t client_port;
    std::uint16_t server_port;
    bool tcp;
};

[[nodiscard]] Ends ends_of(std::uint64_t flow, const TraceOptions& options) noexcept {
    constexpr std::uint32_t kServerPorts = 64;
    const std::uint64_t h = mix(flow + options.seed * 0x9e3779b97f4a7c15U);
    const std::uint64_t g = mix(h);
    const auto pick = [](std::uint64_t hash, std::uint32_t among) {
        return among == 0 ? static_cast<std::uint32_t>(hash)
                          : static_cast<std::uint32_t>(mix(hash % among + among));
    };
    return {
        pick(h, options.clients),
        pick(g >> 20, options.servers),
        static_cast<std::uint16_t>(g),
        static_cast<std::uint16_t>(g % kServerPorts + 1),
        flow % 4 != 0};
}

// The first 64 bytes of a frame of `frame_bytes` (without FCS): Ethernet, IPv4, TCP or UDP.
void write_headers(
    const Ends& ends,
    bool forward,
    std::uint8_t flags,
    std::uint32_t frame_bytes,
    std::uint8_t* out) {
    constexpr std::uint8_t kTcp = 6;
    constexpr std::uint8_t kUdp = 17;
    const std::uint32_t ip_bytes = frame_bytes - kEthernetBytes;
    std::memset(out, 0, kHeaderBytes);
    out[0] = 0x02;
    out[6] = 0x02;
    out[11] = 0x01;
    put16(out + 12, 0x0800);
    out[14] = 0x45;
    put16(out + 16, ip_bytes);
    out[20] = 0x40;  // don't fragment
    out[22] = 64;
    out[23] = ends.tcp ? kTcp : kUdp;
    put32(out + 26, forward ? ends.client : ends.server);
    put32(out + 30, forward ? ends.server : ends.client);
    put16(out + 34, forward ? ends.client_port : ends.server_port);
    put16(out + 36, forward ? ends.server_port : ends.client_port);
    if (ends.tcp) {
        out[46] = 0x50;
        out[47] = flags;
        put16(out + 48, 8192);
    } else {
        put16(out + 38, ip_bytes - 20);
    }
}

}  // namespace

Trace::Trace(const TraceOptions& options) {
    constexpr std::uint8_t kAck = 0x10;
    constexpr std::uint8_t kPsh = 0x08;
    constexpr std::uint8_t kSyn = 0x02;
    constexpr std::uint32_t kPerFlow = 4;
    constexpr std::uint32_t kFloodShare = 8;
    const std::uint64_t wanted =
        options.flood ? kMostRecords : std::uint64_t{options.flows} * kPerFlow;
    constexpr std::size_t kHugeBytes = std::size_t{2} << 20;
    const std::size_t records = std::clamp<std::uint64_t>(wanted, kFewestRecords, kMostRecords);
    map_bytes_ = records * sizeof(Record) + kHugeBytes;
    map_ = mmap(nullptr, map_bytes_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (map_ == MAP_FAILED) {
        throw std::bad_alloc();
    }
    const auto start =
        (reinterpret_cast<std::uintptr_t>(map_) + kHugeBytes - 1) / kHugeBytes * kHugeBytes;
    madvise(reinterpret_cast<void*>(start), map_bytes_ - kHugeBytes, MADV_HUGEPAGE);
    records_ = {reinterpret_cast<Record*>(start), records};
    std::mt19937_64 random(options.seed);
    std::array<std::uint8_t, kHeaderBytes> frame{};
    std::uint64_t next = 0;
    for (Record& record : records_) {
        const std::uint64_t r = random();
        std::uint64_t flow = (r >> 32) * options.flows >> 32;
        bool forward = (r & 1) != 0;
        auto flags = static_cast<std::uint8_t>(kAck | ((r & 2) != 0 ? kPsh : 0));
        if (options.flood && r % kFloodShare != 0) {
            flow = options.flows + next++;
            forward = true;
            flags = kSyn;
        } else if (options.zipf) {
            // The integral of 1/x from 1 to rank is ln(rank): popularity is the inverse of the rank.
            const double u = static_cast<double>(r >> 11) * 0x1p-53;
            const double rank = std::pow(static_cast<double>(options.flows), u) - 1;
            flow = mix(static_cast<std::uint64_t>(rank)) % options.flows;
        }
        write_headers(ends_of(flow, options), forward, flags, kFrameBytes, frame.data());
        std::memcpy(record.data(), frame.data() + kRecordAt, record.size());
    }
}

Trace::~Trace() {
    munmap(map_, map_bytes_);
}

void Trace::fill(rte_mbuf** packets, std::uint16_t count) noexcept {
    if (paused_) {
        return;
    }
    constexpr std::size_t kTailAt = kRecordAt + sizeof(Record);
    static const auto constant = [] {
        std::array<std::uint8_t, kHeaderBytes> frame{};
        write_headers({0, 0, 0, 0, true}, true, 0, kFrameBytes, frame.data());
        return frame;
    }();
    for (std::uint16_t i = 0; i < count; ++i) {
        auto* const data = rte_pktmbuf_mtod(packets[i], std::uint8_t*);
        std::memcpy(data, constant.data(), kRecordAt);
        std::memcpy(data + kRecordAt, records_[at_].data(), sizeof(Record));
        std::memcpy(data + kTailAt, constant.data() + kTailAt, kHeaderBytes - kTailAt);
        at_ = at_ + 1 == records_.size() ? 0 : at_ + 1;
    }
}

bool write_imix(const std::string& path, std::uint32_t frames) {
    constexpr std::array<std::uint32_t, 12> kSizes{
        60, 590, 60, 60, 590, 60, 1514, 60, 590, 60, 590, 60};
    constexpr std::uint32_t kFlows = 1000;
    constexpr int kSnap = 65535;
    constexpr std::uint32_t kGapUs = 10;
    constexpr std::uint8_t kAck = 0x10;
    const std::unique_ptr<pcap_t, void (*)(pcap_t*)> link(
        pcap_open_dead(DLT_EN10MB, kSnap), pcap_close);
    const std::unique_ptr<pcap_dumper_t, void (*)(pcap_dumper_t*)> out(
        pcap_dump_open(link.get(), path.c_str()), pcap_dump_close);
    if (out == nullptr) {
        std::fprintf(stderr, "cannot write %s: %s\n", path.c_str(), pcap_geterr(link.get()));
        return false;
    }
    std::mt19937_64 random(1);
    const TraceOptions options{kFlows, 100, 20};
    std::vector<std::uint8_t> frame(2048);
    for (std::uint32_t i = 0; i < frames; ++i) {
        const std::uint32_t bytes = kSizes[i % kSizes.size()];
        const std::uint64_t r = random();
        write_headers(
            ends_of((r >> 32) % kFlows, options), (r & 1) != 0, kAck, bytes, frame.data());
        pcap_pkthdr header{};
        header.ts.tv_sec = 1700000000 + i * kGapUs / 1000000;
        header.ts.tv_usec = i * kGapUs % 1000000;
        header.caplen = bytes;
        header.len = bytes;
        pcap_dump(reinterpret_cast<u_char*>(out.get()), &header, frame.data());
    }
    return pcap_dump_flush(out.get()) == 0;
}

}  // namespace weir::perf
