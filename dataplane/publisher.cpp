// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/publisher.h"

#include <chrono>
#include <cstdlib>
#include <thread>

#include <rte_rcu_qsbr.h>

namespace weir::dataplane {

namespace {

// A burst takes microseconds; a swap may take a little longer than the slowest of them.
constexpr std::chrono::microseconds kGracePoll{20};

}  // namespace

Result<std::unique_ptr<Publisher>> Publisher::create(
    std::uint32_t readers, std::unique_ptr<const Snapshot> first) {
    const std::size_t bytes = rte_rcu_qsbr_get_memsize(readers);
    std::unique_ptr<Publisher> publisher(new Publisher);
    const std::size_t aligned =
        (bytes + RTE_CACHE_LINE_SIZE - 1) / RTE_CACHE_LINE_SIZE * RTE_CACHE_LINE_SIZE;
    publisher->qsbr_ = static_cast<rte_rcu_qsbr*>(std::aligned_alloc(RTE_CACHE_LINE_SIZE, aligned));
    if (publisher->qsbr_ == nullptr || rte_rcu_qsbr_init(publisher->qsbr_, readers) != 0) {
        return fail(
            {},
            "workers.lcores",
            "cannot set up reclamation for " + std::to_string(readers) + " workers");
    }
    for (std::uint32_t reader = 0; reader < readers; ++reader) {
        rte_rcu_qsbr_thread_register(publisher->qsbr_, reader);
    }
    publisher->current_.store(first.release(), std::memory_order_release);
    return publisher;
}

Publisher::~Publisher() {
    delete current_.load(std::memory_order_acquire);
    std::free(qsbr_);
}

void Publisher::go_online(std::uint32_t reader) noexcept {
    rte_rcu_qsbr_thread_online(qsbr_, reader);
}

void Publisher::go_offline(std::uint32_t reader) noexcept {
    rte_rcu_qsbr_thread_offline(qsbr_, reader);
}

void Publisher::quiescent(std::uint32_t reader) noexcept {
    rte_rcu_qsbr_quiescent(qsbr_, reader);
}

std::uint64_t Publisher::begin_grace() noexcept {
    return rte_rcu_qsbr_start(qsbr_);
}

bool Publisher::grace_over(std::uint64_t grace) noexcept {
    return rte_rcu_qsbr_check(qsbr_, grace, false) != 0;
}

void Publisher::publish(std::unique_ptr<const Snapshot> next) {
    const Snapshot* old = current_.exchange(next.release(), std::memory_order_acq_rel);
    swaps_.fetch_add(1, std::memory_order_relaxed);
    // Every worker online now must pass a quiescent state: after that none can hold `old`. Asked in steps, not by
    // rte_rcu_qsbr_synchronize(): that spins on a control core, which a worker may need.
    const std::uint64_t grace = begin_grace();
    while (!grace_over(grace)) {
        std::this_thread::sleep_for(kGracePoll);
    }
    delete old;
}

}  // namespace weir::dataplane
