// SPDX-License-Identifier: BSD-3-Clause
// Packets from anyone, at any times, into a table far too small for them: every packet is somebody's and counted once, no
// established flow is pushed out by others, and neither flows nor features depend on how packets are batched.
// The input's first byte tells the burst and of what kind the rest is: steps of six bytes, or frames, each behind its
// length (two bytes, little endian) and its time.
#include "dataplane/features/catalog.h"
#include "dataplane/observe.h"
#include "dataplane/parse.h"
#include "dataplane/track.h"
#include "tests/fuzz/require.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include <sys/prctl.h>

#include <rte_eal.h>

namespace {

using weir::fuzz::require;
using namespace weir::dataplane;

constexpr std::uint32_t kFlows = 64;
constexpr std::uint32_t kMostEvents = 1U << 13;
constexpr std::uint64_t kBegin = 1'700'000'000'000'000'000;
constexpr std::uint64_t kSecond = 1'000'000'000;

struct Packet {
    FlowKey key;
    PacketHeader header;
    std::uint64_t time_ns = 0;
    bool sweeps = false;  ///< no packet: the worker had nothing to do
};

// ---- what the input says --------------------------------------------------------------------------------------------

class Reader {
  public:
    Reader(const std::uint8_t* data, std::size_t size) : data_(data), size_(size) {}
    [[nodiscard]] std::size_t left() const { return size_; }
    [[nodiscard]] std::uint8_t byte() { return *take(1); }
    [[nodiscard]] const std::uint8_t* take(std::size_t bytes) {
        require(bytes <= size_);
        const std::uint8_t* const at = data_;
        data_ += bytes;
        size_ -= bytes;
        return at;
    }

  private:
    const std::uint8_t* data_;
    std::size_t size_;
};

// Nothing to days later, mostly little; and back.
[[nodiscard]] std::uint64_t moved(std::uint64_t now, std::uint8_t code) {
    constexpr std::uint8_t kBack = 0xf0;
    if (code >= kBack) {
        return now - (std::uint64_t{code} - kBack) * kSecond / 4;
    }
    return now + (std::uint64_t{code & 0x0fU} << (code >> 4U) * 3U);
}

// Any of 16 endpoints to any other, of which some answer.
[[nodiscard]] Packet step(Reader& reader, std::uint64_t& now) {
    constexpr std::array<std::uint8_t, 4> kProtocols = {6, 17, 1, 132};
    const std::uint8_t ends = reader.byte();
    const std::uint8_t kind = reader.byte();
    Packet packet;
    packet.header.tcp_flags = reader.byte();
    now = moved(now, reader.byte());
    packet.header.payload_bytes = reader.byte();
    packet.header.ip_bytes = packet.header.payload_bytes + 40;
    packet.header.ttl = reader.byte();
    packet.time_ns = now;
    packet.sweeps = kind == 0xff;
    const std::uint8_t low = std::min<std::uint8_t>(ends >> 4U, ends & 0x0fU);
    const std::uint8_t high = std::max<std::uint8_t>(ends >> 4U, ends & 0x0fU);
    packet.key.ip_version = 4;
    packet.key.addr_lo[15] = low;
    packet.key.addr_hi[15] = high;
    packet.key.port_lo = static_cast<std::uint16_t>(kind >> 4U);
    packet.key.port_hi = 443;
    packet.key.proto = kProtocols[kind & 3U];
    packet.header.proto = packet.key.proto;
    packet.header.ip_version = 4;
    packet.header.src_is_hi = (kind & 4U) != 0;
    packet.header.src_port = packet.header.src_is_hi ? 443 : packet.key.port_lo;
    packet.header.dst_port = packet.header.src_is_hi ? packet.key.port_lo : 443;
    packet.header.frame_bytes = packet.header.ip_bytes + 14;
    return packet;
}

[[nodiscard]] std::vector<Packet> steps(Reader reader) {
    constexpr std::size_t kStep = 6;
    std::vector<Packet> packets;
    std::uint64_t now = kBegin;
    while (reader.left() >= kStep) {
        packets.push_back(step(reader, now));
    }
    return packets;
}

[[nodiscard]] std::vector<Packet> frames(Reader reader) {
    constexpr std::size_t kHead = 3;
    std::vector<Packet> packets;
    std::uint64_t now = kBegin;
    while (reader.left() >= kHead) {
        const std::size_t low = reader.byte();
        const std::size_t length = low | static_cast<std::size_t>(reader.byte()) << 8U;
        now = moved(now, reader.byte());
        const std::size_t bytes = std::min(length, reader.left());
        // A block of just that size, so that a sanitizer sees a read past it.
        const auto* const from = reader.take(bytes);
        const std::vector<std::uint8_t> frame(from, from + bytes);
        Packet packet;
        packet.time_ns = now;
        const auto available = static_cast<std::uint32_t>(bytes);
        if (parse_frame(frame.data(), available, available, packet.key, packet.header) ==
            ParseResult::flow) {
            packets.push_back(packet);
        }
    }
    return packets;
}

// ---- what becomes of it ---------------------------------------------------------------------------------------------

struct CodeSums : RowTap {
    std::vector<std::uint64_t> sums;  ///< a packet's features, in packet order

    void on_row(
        const Batch& batch,
        std::uint32_t i,
        std::uint32_t /*flow_index*/,
        const Flow& /*flow*/,
        const FeatureRow& row) noexcept override {
        std::uint64_t sum = batch.time_ns[i];
        for (std::uint32_t f = 0; f < feature_count(); ++f) {
            sum = (sum ^ row.codes[f]) * 0x100000001b3U;
        }
        sums.push_back(sum);
    }
};

/// The stages that follow flows, of one worker.
class Path {
  public:
    explicit Path(EventRing& events) : events_(events) {
        FlowTable::Options options;
        options.config.capacity = kFlows;
        auto flows = FlowTable::create(options);
        auto hosts = HostTable::create(HostTable::kMinCapacity, 0);
        require(flows.has_value() && hosts.has_value());
        flows_ = std::move(*flows);
        hosts_ = std::move(*hosts);
        context_ = std::make_unique<TrackContext>(TrackContext{*flows_, events_, *stats_});
        snapshot_.feature_groups =
            kAllGroups & ~(1U << static_cast<std::uint32_t>(FeatureGroup::payload));
    }

    void run(const std::vector<Packet>& packets, std::uint32_t burst, RowTap* tap) {
        Batch& batch = *batch_;
        batch.size = 0;
        for (const Packet& packet : packets) {
            if (packet.sweeps) {
                flush(tap);
                expire_idle(*context_, 2, packet.time_ns);
                take_records();
                continue;
            }
            batch.key[batch.size] = packet.key;
            batch.header[batch.size] = packet.header;
            batch.time_ns[batch.size] = packet.time_ns;
            batch.parsed[batch.size] = ParseResult::flow;
            if (++batch.size == burst) {
                flush(tap);
            }
        }
        flush(tap);
    }

    /// All that ended, in order, the living last.
    [[nodiscard]] const std::vector<FlowRecord>& end() {
        std::uint32_t cursor = 0;
        while (!expire_all(*context_, cursor, kFlows)) {
        }
        take_records();
        require(flows_->live() == 0 && stats_->events_lost.get() == 0);
        require(stats_->flows_created.get() - created_before_ == records_.size());
        return records_;
    }
    [[nodiscard]] std::uint64_t followed() const { return followed_; }

  private:
    void flush(RowTap* tap) {
        Batch& batch = *batch_;
        const bool alone = batch.size == 1;
        for (std::uint32_t begin = 0; begin < batch.size;) {
            track_prepare(batch, begin, batch.size, *context_);
            if (alone) {
                note_phases();
            }
            const std::uint32_t end = track(batch, begin, batch.size, {begin}, *context_);
            require(end > begin && end <= batch.size);
            for (std::uint32_t i = begin; i < end; ++i) {
                check(batch, i);
            }
            observe(batch, begin, end, *flows_, *hosts_, snapshot_, *rows_, *scratch_, tap);
            take_records(alone);
            begin = end;
        }
        batch.size = 0;
    }
    void note_phases() {
        for (std::uint32_t f = 0; f < kFlows; ++f) {
            phases_[f] = flows_->phase(f);
        }
    }
    void check(const Batch& batch, std::uint32_t i) {
        if (batch.flow[i] == kNoFlow) {
            return;
        }
        ++followed_;
        require(batch.flow[i] < flows_->capacity() && flows_->occupied(batch.flow[i]));
        require((*flows_)[batch.flow[i]].key() == batch.key[i]);
        require(flows_->find(batch.key[i], batch.hash[i]) == batch.flow[i]);
    }
    void take_records(bool phases_known = false) {
        for (std::uint32_t n = events_.pop(some_); n != 0; n = events_.pop(some_)) {
            for (std::uint32_t i = 0; i < n; ++i) {
                const FlowRecord& record = some_[i];
                require(record.packets[0] + record.packets[1] != 0);
                require(record.first_ns <= record.last_ns);
                require(
                    record.end != FlowEnd::evicted || !phases_known ||
                    phases_[record.flow] != FlowPhase::established);
                records_.push_back(record);
            }
        }
    }

    EventRing& events_;
    std::unique_ptr<FlowTable> flows_;
    std::unique_ptr<HostTable> hosts_;
    std::unique_ptr<TrackContext> context_;
    Snapshot snapshot_;
    std::vector<FlowRecord> records_;
    std::array<FlowPhase, kFlows> phases_{};
    std::array<FlowRecord, kFlows> some_;
    std::uint64_t followed_ = 0;
    std::uint64_t created_before_ = stats_->flows_created.get();
    // Large, and of no input: one for all.
    inline static const std::unique_ptr<WorkerStats> stats_ = std::make_unique<WorkerStats>();
    inline static const std::unique_ptr<Batch> batch_ = std::make_unique<Batch>();
    inline static const std::unique_ptr<Rows> rows_ = std::make_unique<Rows>();
    inline static const std::unique_ptr<ObserveScratch> scratch_ =
        std::make_unique<ObserveScratch>();
};

[[nodiscard]] bool same(const FlowRecord& a, const FlowRecord& b) {
    return a.key == b.key && a.first_ns == b.first_ns && a.last_ns == b.last_ns &&
           a.bytes == b.bytes && a.packets == b.packets && a.end == b.end && a.flow == b.flow &&
           a.initiator_is_hi == b.initiator_is_hi;
}

// Without devices, hugepages or files: unprivileged.
void start_eal() {
    std::array<std::string, 7> words = {
        "fuzz_track", "--no-huge", "--no-shconf", "--no-telemetry", "--no-pci", "-m", "64"};
    std::array<char*, 8> arguments{};  // the last one is null
    std::transform(words.begin(), words.end(), arguments.begin(), [](std::string& word) {
        return word.data();
    });
    prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0);  // tables of a few pages, made anew for every input
    require(rte_eal_init(static_cast<int>(words.size()), arguments.data()) >= 0);
}

[[nodiscard]] EventRing& event_ring() {
    static const auto kRing = [] {
        start_eal();
        auto ring = EventRing::create("fuzz_track", kMostEvents);
        require(ring.has_value());
        return std::move(*ring);
    }();
    return *kRing;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    constexpr std::size_t kMostBytes = std::size_t{1} << 14;
    if (size < 2 || size > kMostBytes) {
        return 0;
    }
    const bool framed = (data[0] & 1U) != 0;
    const std::uint32_t burst = (data[0] >> 1U) % 64 + 1;
    const Reader reader(data + 1, size - 1);
    const std::vector<Packet> packets = framed ? frames(reader) : steps(reader);

    Path one(event_ring());
    CodeSums rows_of_one;
    one.run(packets, 1, &rows_of_one);
    const auto& records = one.end();
    std::uint64_t counted = 0;
    for (const FlowRecord& record : records) {
        counted += std::uint64_t{record.packets[0]} + record.packets[1];
    }
    require(counted == one.followed());

    for (const bool tapped : {true, false}) {  // the packet path has a way of its own without a tap
        Path many(event_ring());
        CodeSums rows;
        many.run(packets, burst, tapped ? &rows : nullptr);
        const auto& others = many.end();
        require(std::equal(records.begin(), records.end(), others.begin(), others.end(), same));
        require(!tapped || rows.sums == rows_of_one.sums);
    }
    return 0;
}
