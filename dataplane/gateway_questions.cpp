// SPDX-License-Identifier: BSD-3-Clause
// What control asks of all workers together.
#include "dataplane/gateway.h"

#include <algorithm>

namespace weir::dataplane {

std::optional<DistributorInfo> Gateway::distributor() const {
    if (distributor_ == nullptr) {
        return {};
    }
    DistributorInfo info;
    info.lcore = distributor_lcore_;
    info.room = distributor_->room();
    const DistributorStats& stats = distributor_->stats();
    info.sleeps = stats.sleeps.get();
    for (std::size_t p = 0; p < peers_.size(); ++p) {
        const DistributorStats::Port& port = stats.ports[p];
        info.ports.push_back(
            {port.received.get(), port.lost.get(), port.lost_bytes.get(), port.sent.get()});
    }
    for (std::uint32_t w = 0; w < distributor_->workers(); ++w) {
        info.workers.push_back({distributor_->handed(w), distributor_->waiting(w)});
    }
    return info;
}

void Gateway::exchange_hosts() {
    if (exchange_ != nullptr) {
        exchange_->step();
    }
}

void Gateway::tell_verdicts(bool on) {
    for (const auto& worker : workers_) {
        worker->inspector().tell_verdicts(on);
    }
}

std::uint32_t Gateway::drain_verdicts(std::span<FlowRecord> out) {
    std::uint32_t taken = 0;
    for (const auto& worker : workers_) {
        taken += worker->inspector().pop_verdicts(out.subspan(taken));
    }
    return taken;
}

std::uint64_t Gateway::verdicts_lost() const {
    std::uint64_t lost = 0;
    for (const auto& worker : workers_) {
        lost += worker->inspector().verdicts_lost();
    }
    return lost;
}

void Gateway::start_walk() {
    for (const auto& worker : workers_) {
        worker->inspector().start_walk();
    }
}

std::uint32_t Gateway::drain_walk(std::span<FlowRecord> out, bool& over) {
    std::uint32_t taken = 0;
    over = true;
    for (const auto& worker : workers_) {
        bool through = false;
        taken += worker->inspector().pop_flows(out.subspan(taken), through);
        over = over && through;
    }
    return taken;
}

bool Gateway::ask_sample(const FlowKey& key) {
    const bool free = std::all_of(workers_.begin(), workers_.end(), [](const auto& worker) {
        return worker->inspector().sample_free();
    });
    for (std::size_t w = 0; free && w < workers_.size(); ++w) {
        workers_[w]->inspector().ask_sample(key);
    }
    return free;
}

bool Gateway::take_sample(FlowSample& out) {
    for (std::uint32_t w = 0; w < workers_.size(); ++w) {
        if (workers_[w]->inspector().take_sample(out)) {
            out.worker = w;
            withdraw_sample();
            return true;
        }
    }
    return false;
}

void Gateway::withdraw_sample() {
    for (const auto& worker : workers_) {
        worker->inspector().withdraw_sample();
    }
}

std::uint32_t Gateway::drain_mirror(std::span<rte_mbuf*> out) {
    std::uint32_t taken = 0;
    for (const auto& worker : workers_) {
        if (MirrorRing* const ring = worker->mirror(); ring != nullptr && taken < out.size()) {
            taken += ring->pop(out.subspan(taken));
        }
    }
    return taken;
}

}  // namespace weir::dataplane
