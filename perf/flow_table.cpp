// SPDX-License-Identifier: BSD-3-Clause
// The flow stage, look-up and update of batches of 64, on the flow table and on DPDK's rte_hash bulk look-up with the
// flows prefetched: chunk by chunk in turns, the ratio of neighbours. Both get keys that are near, as parsing leaves them,
// ask for flows as far ahead, and bring them up to date by the path's own code, 16 at once.
#include "config/config.h"
#include "dataplane/eal.h"
#include "dataplane/features/features.h"
#include "dataplane/flow/few_flows.h"
#include "dataplane/flow/huge_map.h"
#include "dataplane/flow/table.h"
#include "dataplane/prefetch.h"
#include "perf/report.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdio>
#include <cstring>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include <rte_cycles.h>
#include <rte_hash.h>
#include <rte_hash_crc.h>

#include <CLI/CLI.hpp>
#include <sched.h>

namespace weir::perf {
namespace {

using dataplane::Flow;
using dataplane::FlowKey;
using dataplane::FlowTable;
using dataplane::PacketHeader;

constexpr std::uint32_t kBatch = 64;
constexpr std::uint32_t kBatchesAChunk = 64;
constexpr std::uint32_t kSequence = 1U << 20;
constexpr std::uint64_t kStart = std::uint64_t{1700000000} * 1000000000;

[[nodiscard]] FlowKey key_of(std::uint64_t flow) {
    std::mt19937_64 random(flow);
    FlowKey key;
    key.addr_lo[10] = key.addr_lo[11] = key.addr_hi[10] = key.addr_hi[11] = 0xff;
    const std::uint64_t addresses = random();
    std::memcpy(key.addr_lo.data() + 12, &addresses, 4);
    std::memcpy(key.addr_hi.data() + 12, reinterpret_cast<const char*>(&addresses) + 4, 4);
    const std::uint64_t ports = random();
    key.port_lo = static_cast<std::uint16_t>(ports);
    key.port_hi = static_cast<std::uint16_t>(ports >> 16);
    key.proto = 6;
    key.ip_version = 4;
    return key;
}

[[nodiscard]] PacketHeader tcp_header() {
    PacketHeader header;
    header.ip_bytes = 46;
    header.payload_bytes = 6;
    header.proto = 6;
    header.ip_version = 4;
    header.tcp_flags = 0x10;
    header.tcp_window = 8192;
    return header;
}

template <int nearness>
void ask(const Flow* flow) {
    const auto* lines = reinterpret_cast<const std::byte*>(flow);
    __builtin_prefetch(lines, 1, nearness);
    __builtin_prefetch(lines + 64, 1, nearness);
    __builtin_prefetch(lines + 128, 1, nearness);
}

class Pair {
  public:
    [[nodiscard]] bool create(std::uint32_t flows, bool with_rte);
    ~Pair() { rte_hash_free(hash_); }
    Pair() = default;
    Pair(const Pair&) = delete;
    Pair& operator=(const Pair&) = delete;

    /// Nanoseconds a packet of one chunk.
    [[nodiscard]] double own();
    [[nodiscard]] double rte();
    [[nodiscard]] double bytes_per_flow() const { return table_->bytes_per_flow(); }
    /// Look-ups that found nothing: none should.
    [[nodiscard]] std::uint64_t missed() const { return missed_; }

  private:
    /// `index` tells flows apart.
    void update(
        const std::array<Flow*, kBatch>& flows, const std::array<std::uint32_t, kBatch>& index);
    // The keys of the next batch, near as parsing leaves them.
    void next() {
        std::copy_n(sequence_.data() + at_, kBatch, keys_.data());
        at_ = (at_ + kBatch) % kSequence;
        now_ += kBatch * 50;
    }
    template <typename Batch>
    [[nodiscard]] double chunk(Batch batch) {
        std::uint64_t cycles = 0;
        for (std::uint32_t n = 0; n < kBatchesAChunk; ++n) {
            next();
            const std::uint64_t start = rte_rdtsc();
            batch(keys_.data());
            cycles += rte_rdtsc() - start;
        }
        return static_cast<double>(cycles) * 1e9 / static_cast<double>(rte_get_tsc_hz()) /
               (kBatchesAChunk * kBatch);
    }

    alignas(64) std::array<FlowKey, kBatch> keys_;
    PacketHeader header_ = tcp_header();
    dataplane::FlowPackets packets_{};
    dataplane::Measures measures_{};
    dataplane::FewFlows<dataplane::FlowPackets::kLanes> block_;
    Flow spare_;
    std::uint64_t missed_ = 0;
    std::vector<FlowKey> sequence_;
    std::size_t at_ = 0;
    std::uint64_t now_ = kStart;
    std::unique_ptr<FlowTable> table_;
    dataplane::HugeMap array_;  ///< flows for rte_hash, of the same pages
    rte_hash* hash_ = nullptr;
};

bool Pair::create(std::uint32_t flows, bool with_rte) {
    FlowTable::Options options;
    options.config = config::FlowTable{};
    options.config.capacity = flows * 2;
    options.slots = 2;
    options.seed = 1;
    options.pages = dataplane::TablePages::reserved;
    auto table = FlowTable::create(options);
    if (!table) {
        std::fprintf(stderr, "%s\n", table.error().line().c_str());
        return false;
    }
    table_ = std::move(*table);
    if (with_rte) {
        rte_hash_parameters parameters{};
        parameters.name = "bench";
        parameters.entries = flows * 2;
        parameters.key_len = sizeof(FlowKey);
        parameters.hash_func = rte_hash_crc;
        hash_ = rte_hash_create(&parameters);
        auto array = dataplane::HugeMap::create(
            std::size_t{flows} * sizeof(Flow), options.pages, {}, "flows for rte_hash", {});
        if (!array) {
            std::fprintf(stderr, "%s\n", array.error().line().c_str());
            return false;
        }
        array_ = std::move(*array);
        if (hash_ == nullptr) {
            std::fprintf(stderr, "rte_hash: no memory for %u entries\n", flows * 2);
            return false;
        }
    }
    std::vector<std::uint32_t> there;  // but for the few whose buckets were full
    there.reserve(flows);
    for (std::uint32_t i = 0; i < flows; ++i) {
        const FlowKey key = key_of(i);
        const std::uint64_t hash = table_->hash(key);
        const std::uint32_t slot = table_->choose_slot(hash, kStart);
        if (slot == dataplane::kNoFlow || table_->occupied(slot)) {
            continue;
        }
        table_->occupy(slot, key, hash).set_times(kStart / 1000, 0);
        table_->touch(slot, dataplane::FlowPhase::established, kStart);
        if (with_rte &&
            rte_hash_add_key_data(hash_, &key, reinterpret_cast<void*>(std::uintptr_t{i})) != 0) {
            std::fprintf(stderr, "rte_hash: full at %u\n", i);
            return false;
        }
        there.push_back(i);
    }
    std::mt19937_64 random(3);
    sequence_.reserve(kSequence);
    for (std::uint32_t i = 0; i < kSequence; ++i) {
        const std::uint64_t pick = (random() >> 32) * there.size() >> 32;
        sequence_.push_back(key_of(there[pick]));
    }
    return true;
}

// Brings a batch's flows up to date as observe does, 16 different ones at a time, the next ones asked for meanwhile.
void Pair::update(
    const std::array<Flow*, kBatch>& flows, const std::array<std::uint32_t, kBatch>& index) {
    constexpr std::uint32_t kLanes = dataplane::FlowPackets::kLanes;
    for (std::uint32_t i = 0; i < kBatch;) {
        for (std::uint32_t n = i + kLanes; n < std::min(i + 2 * kLanes, kBatch); ++n) {
            ask<dataplane::kNearHint>(flows[n]);
        }
        block_.clear();
        std::uint32_t count = 0;
        for (; i < kBatch && count < kLanes && !block_.has(index[i]); ++i) {
            block_.add(index[i]);
            packets_.flow[count] = flows[i];
            packets_.header[count] = &header_;
            packets_.now_ns[count] = now_;
            ++count;
        }
        packets_.count = count;
        dataplane::update_flows(0, packets_, measures_);
    }
}

double Pair::own() {
    return chunk([this](const FlowKey* keys) {
        std::array<std::uint64_t, kBatch> hashes;
        std::array<std::uint32_t, kBatch> expected;
        std::array<Flow*, kBatch> flows;
        for (std::uint32_t i = 0; i < kBatch; ++i) {
            hashes[i] = table_->hash(keys[i]);
            table_->prefetch_bucket(hashes[i]);
        }
        for (std::uint32_t i = 0; i < kBatch; ++i) {
            expected[i] = table_->expect_first(hashes[i]);
        }
        for (std::uint32_t i = 0; i < kBatch; ++i) {
            if (expected[i] != dataplane::kNoFlow) {
                table_->prefetch_lines(expected[i]);
            }
        }
        for (std::uint32_t i = 0; i < kBatch; ++i) {
            expected[i] = table_->find_at(expected[i], keys[i], hashes[i]);
            missed_ += static_cast<std::uint64_t>(expected[i] == dataplane::kNoFlow);
            flows[i] = expected[i] != dataplane::kNoFlow ? &(*table_)[expected[i]] : &spare_;
        }
        update(flows, expected);
    });
}

double Pair::rte() {
    return chunk([this](const FlowKey* keys) {
        std::array<const void*, kBatch> pointers;
        std::array<void*, kBatch> data;
        std::array<Flow*, kBatch> flows;
        std::array<std::uint32_t, kBatch> index;
        std::uint64_t hits = 0;
        for (std::uint32_t i = 0; i < kBatch; ++i) {
            pointers[i] = &keys[i];
        }
        rte_hash_lookup_bulk_data(hash_, pointers.data(), kBatch, &hits, data.data());
        missed_ += static_cast<std::uint64_t>(std::popcount(~hits));
        for (std::uint32_t i = 0; i < kBatch; ++i) {
            const bool hit = (hits >> i & 1) != 0;
            index[i] = hit ? static_cast<std::uint32_t>(reinterpret_cast<std::uintptr_t>(data[i]))
                           : dataplane::kNoFlow;
            flows[i] = hit ? reinterpret_cast<Flow*>(array_.base()) + index[i] : &spare_;
            ask<dataplane::kRecordHint>(flows[i]);
        }
        update(flows, index);
    });
}

struct Medians {
    double own = 0;
    double rte = 0;
    double ratio = 0;
    double bytes = 0;  ///< a flow, all included
};

[[nodiscard]] bool measure(std::uint32_t flows, bool with_rte, int rounds, Medians& out) {
    Pair pair;
    if (!pair.create(flows, with_rte)) {
        return false;
    }
    std::vector<double> own;
    std::vector<double> rte;
    std::vector<double> ratio;
    for (int round = 0; round < rounds; ++round) {
        own.push_back(pair.own());
        if (with_rte) {
            rte.push_back(pair.rte());
            ratio.push_back(rte.back() / own.back());
        }
    }
    if (pair.missed() != 0) {
        std::fprintf(stderr, "flow table: flows that are there were not found\n");
        return false;
    }
    out = {median(own), median(rte), median(ratio), pair.bytes_per_flow()};
    return true;
}

[[nodiscard]] int run_main(int argc, char** argv) {
    std::string json;
    int rounds = 301;
    std::uint32_t most_flows = 1U << 24;
    CLI::App app{"The flow table against rte_hash"};
    app.add_option("--json", json, "Write the results to this file");
    app.add_option("--rounds", rounds, "Chunks a case")->check(CLI::Range(1, 100000));
    app.add_option("--most-flows", most_flows, "Leave out cases of more flows");
    CLI11_PARSE(app, argc, argv);
    dataplane::EalOptions eal;
    eal.eal.hugepages = config::Hugepages::automatic;
    eal.eal.memory_mb = 1024;
    eal.eal.main_lcore = static_cast<std::uint32_t>(sched_getcpu());
    if (auto ok = dataplane::start_eal(eal); !ok) {
        std::fprintf(stderr, "%s\n", ok.error().line().c_str());
        return 1;
    }
    Medians small;
    Medians middle;
    if (!measure(1U << 16, true, rounds, small) || !measure(1U << 20, true, rounds, middle)) {
        return 1;
    }
    Report report;
    report.add({"flow_table.two_slots.flow", small.bytes, "bytes", 192.0, false});
    report.add({"flow_table.64k.own", small.own, "ns", {}, false});
    report.add({"flow_table.64k.rte_hash", small.rte, "ns", {}, false});
    report.add({"flow_table.64k.ratio", small.ratio, "x", {}, true});
    report.add({"flow_table.1m.own", middle.own, "ns", {}, false});
    report.add({"flow_table.1m.rte_hash", middle.rte, "ns", {}, false});
    report.add({"flow_table.1m.ratio", middle.ratio, "x", 2.0, true});
    Medians large;
    if (most_flows >= 1U << 24) {
        if (!measure(1U << 24, false, rounds, large)) {
            return 1;
        }
        report.add({"flow_table.16m.own", large.own, "ns", {}, false});
        report.add({"flow_table.16m_share_of_64k", small.own / large.own, "x", 0.5, true});
    }
    return report.finish(json);
}

}  // namespace
}  // namespace weir::perf

int main(int argc, char** argv) {
    return weir::perf::run_main(argc, argv);
}
