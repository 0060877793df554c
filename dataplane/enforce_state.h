// SPDX-License-Identifier: BSD-3-Clause
// What the files of the enforce stage share, and nobody else.
#pragma once

#include "dataplane/enforce.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include <sys/mman.h>

namespace weir::dataplane {

inline constexpr std::uint32_t kSourceBits = 13;
inline constexpr std::uint32_t kSources = 1U << kSourceBits;

// A source's claim on its flow rate: GCRA's theoretical arrival time (ITU-T I.371), one word.
struct Source {
    std::array<std::uint8_t, 16> address{};
    std::uint64_t arrival_ns = 0;
};

// Zeroed memory that is taken only where it is touched.
template <typename T>
class LazyArray {
  public:
    explicit LazyArray(std::size_t count) noexcept : bytes_(count * sizeof(T)) {
        void* at = mmap(
            nullptr,
            bytes_,
            PROT_READ | PROT_WRITE,
            MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
            -1,
            0);
        data_ = at == MAP_FAILED ? nullptr : static_cast<T*>(at);
    }
    ~LazyArray() {
        if (data_ != nullptr) {
            munmap(data_, bytes_);
        }
    }
    LazyArray(const LazyArray&) = delete;
    LazyArray& operator=(const LazyArray&) = delete;
    [[nodiscard]] bool good() const noexcept { return data_ != nullptr; }
    [[nodiscard]] T& operator[](std::size_t i) noexcept { return data_[i]; }

  private:
    T* data_ = nullptr;
    std::size_t bytes_;
};

struct Enforcer::State {
    State(
        std::uint32_t flows,
        std::span<const WorkerPort> worker_ports,
        const LinkStates& link_states,
        WorkerStats& worker_stats) noexcept
        : ports(worker_ports),
          links(&link_states),
          stats(&worker_stats),
          flow_buckets(flows),
          flow_bits(flows),
          sources(kSources) {}

    std::span<const WorkerPort> ports;
    const LinkStates* links;
    WorkerStats* stats;
    BudgetWatch budget;
    std::uint32_t mirror_count = 0;
    MirrorRing* mirror_ring = nullptr;
    std::array<std::array<MeterState, kPolicyClasses + 1>, kMaxMeters> class_buckets{};
    LazyArray<MeterState> flow_buckets;
    LazyArray<std::uint8_t> flow_bits;
    LazyArray<Source> sources;
};

// The packet in hand, and what the steps need around it.
struct Enforcer::Packet {
    Batch& batch;
    std::uint32_t i;
    Flow& flow;
    std::uint32_t index;  // of the flow
    const FlowTable& flows;
    const CachedVerdict* verdicts;
    const PolicySet& set;
    std::uint64_t never_remark;
    std::uint64_t generation;
    std::size_t slots;

    [[nodiscard]] std::uint64_t now_ns() const noexcept { return batch.time_ns[i]; }
    [[nodiscard]] bool forwarded() const noexcept {
        return batch.disposition[i] == Disposition::forward;
    }
    [[nodiscard]] bool first() const noexcept { return flow.all_packets() == 1; }
    void drop(DropReason reason) const noexcept {
        batch.disposition[i] = Disposition::drop;
        batch.drop_reason[i] = reason;
    }
    void forward() const noexcept { batch.disposition[i] = Disposition::forward; }
    void mark(std::uint8_t dscp) const noexcept {
        batch.dscp[i] = carries_dscp(batch.header[i], never_remark) ? kKeepDscp : dscp;
    }
};

}  // namespace weir::dataplane
