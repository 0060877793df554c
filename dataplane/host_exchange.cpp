// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/host_exchange.h"

#include <algorithm>
#include <atomic>
#include <utility>

#include <rte_errno.h>
#include <rte_lcore.h>
#include <rte_ring.h>
#include <rte_ring_elem.h>

namespace weir::dataplane {

static_assert(sizeof(HostReport) % 4 == 0, "rte_ring elements are multiples of four bytes");

// ---- the worker's end -----------------------------------------------------------------------------------------------

Result<std::unique_ptr<HostReporter>> HostReporter::create(const std::string& name) {
    constexpr unsigned kRing = 1024;
    static std::atomic<std::uint32_t> serial{0};
    const std::string unique = name + "_" + std::to_string(serial.fetch_add(1));
    std::unique_ptr<HostReporter> reporter(new HostReporter);
    reporter->ring_ = rte_ring_create_elem(
        unique.c_str(), sizeof(HostReport), kRing, SOCKET_ID_ANY, RING_F_SP_ENQ | RING_F_SC_DEQ);
    if (reporter->ring_ == nullptr) {
        return fail(
            {},
            "eal.memory_mb",
            "cannot create a ring of hosts: " + std::string(rte_strerror(rte_errno)),
            "raise eal.memory_mb");
    }
    return reporter;
}

HostReporter::~HostReporter() {
    rte_ring_free(ring_);
}

bool HostReporter::take(std::vector<HostReport>& out) {
    // Read before the ring: what the worker told before it was through is then seen.
    const bool through = !asked_.load(std::memory_order_acquire);
    std::array<HostReport, 64> some;
    for (;;) {
        const unsigned taken = rte_ring_sc_dequeue_burst_elem(
            ring_, some.data(), sizeof(HostReport), some.size(), nullptr);
        out.insert(out.end(), some.begin(), some.begin() + taken);
        if (taken == 0) {
            return through;
        }
    }
}

void HostReporter::tell(const HostTable& hosts, std::uint64_t now_ns) noexcept {
    const std::uint32_t buckets = hosts.capacity() / HostTable::kWays;
    HostReport report;
    for (std::uint32_t n = 0; n < kBucketsPerBatch; ++n) {
        if (walked_ == buckets || told_ + HostTable::kWays > kMost) {
            end_round();
            return;
        }
        if (rte_ring_free_count(ring_) < HostTable::kWays) {
            return;  // control takes some, and the round goes on
        }
        HostTable::Active active;
        hosts.active(cursor_ & (buckets - 1), now_ns, active);
        for (std::uint32_t i = 0; i < active.count; ++i) {
            ++by_level_[active.level[i]];
            if (active.level[i] >= least_level_) {
                report.host = *active.host[i];
                report.hash = hosts.hash_of(report.host);
                (void)rte_ring_sp_enqueue_elem(ring_, &report, sizeof(report));
                ++told_;
            }
        }
        ++walked_;
        ++cursor_;
    }
}

// The next round tells of the busiest ones only, as many levels of them as fit.
void HostReporter::end_round() noexcept {
    constexpr std::uint32_t kTop = 3;
    const bool cut = walked_ != 0 && told_ + HostTable::kWays > kMost;
    const std::uint32_t least = cut ? std::min(least_level_ + 1, kTop) : 0;
    least_level_ = kTop;
    std::uint32_t hosts = by_level_[kTop];
    while (least_level_ > least && hosts + by_level_[least_level_ - 1] <= kMost) {
        --least_level_;
        hosts += by_level_[least_level_];
    }
    by_level_ = {};
    walked_ = told_ = 0;
    asked_.store(false, std::memory_order_release);
}

// ---- control's end --------------------------------------------------------------------------------------------------

HostExchange::HostExchange(std::vector<HostReporter*> reporters, Publisher& publisher)
    : reporters_(std::move(reporters)),
      publisher_(&publisher),
      told_(reporters_.size()),
      through_(reporters_.size(), true) {
    for (std::size_t w = 0; w < reporters_.size(); ++w) {
        tables_.push_back({std::make_unique<SharedHosts>(), std::make_unique<SharedHosts>()});
        told_[w].reserve(HostReporter::kMost);
    }
    grace_ = publisher_->begin_grace();
}

HostExchange::~HostExchange() {
    for (HostReporter* const reporter : reporters_) {
        reporter->give(nullptr);
    }
}

void HostExchange::step() {
    for (std::size_t w = 0; w < reporters_.size(); ++w) {
        through_[w] = through_[w] || reporters_[w]->take(told_[w]);
    }
    const bool all = std::all_of(through_.begin(), through_.end(), [](bool t) { return t; });
    if (!all || !publisher_->grace_over(grace_)) {
        return;
    }
    share();
    for (std::size_t w = 0; w < reporters_.size(); ++w) {
        told_[w].clear();
        through_[w] = false;
        reporters_[w]->ask();
    }
}

void HostExchange::share() {
    const std::size_t next = 1 - turn_;
    for (std::size_t w = 0; w < reporters_.size(); ++w) {
        SharedHosts& table = *tables_[w][next];
        table.clear();
        for (std::size_t other = 0; other < reporters_.size(); ++other) {
            if (other == w) {
                continue;
            }
            for (const HostReport& report : told_[other]) {
                left_out_ += static_cast<std::uint64_t>(!table.add(report));
            }
        }
        reporters_[w]->give(&table);
    }
    turn_ = next;
    grace_ = publisher_->begin_grace();
    ++rounds_;
}

}  // namespace weir::dataplane
