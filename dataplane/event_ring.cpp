// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/event_ring.h"

#include <atomic>
#include <bit>

#include <rte_errno.h>
#include <rte_lcore.h>
#include <rte_ring.h>
#include <rte_ring_elem.h>

namespace weir::dataplane {

static_assert(sizeof(FlowRecord) % 4 == 0, "rte_ring elements are multiples of four bytes");

Result<std::unique_ptr<EventRing>> EventRing::create(
    const std::string& name, std::uint32_t capacity) {
    static std::atomic<std::uint32_t> serial{0};  // several replays may run in a process
    const std::string unique = name + "_" + std::to_string(serial.fetch_add(1));
    std::unique_ptr<EventRing> events(new EventRing);
    events->ring_ = rte_ring_create_elem(
        unique.c_str(),
        sizeof(FlowRecord),
        std::bit_ceil(capacity),
        SOCKET_ID_ANY,
        RING_F_SP_ENQ | RING_F_SC_DEQ);
    if (events->ring_ == nullptr) {
        return fail(
            {},
            "eal.memory_mb",
            "cannot create event ring " + name + ": " + rte_strerror(rte_errno),
            "raise eal.memory_mb");
    }
    return events;
}

EventRing::~EventRing() {
    rte_ring_free(ring_);
}

bool EventRing::push(const FlowRecord& record) noexcept {
    return rte_ring_sp_enqueue_elem(ring_, const_cast<FlowRecord*>(&record), sizeof(FlowRecord)) ==
           0;
}

std::uint32_t EventRing::room() const noexcept {
    return rte_ring_free_count(ring_);
}

std::uint32_t EventRing::pop(std::span<FlowRecord> out) noexcept {
    return rte_ring_sc_dequeue_burst_elem(
        ring_, out.data(), sizeof(FlowRecord), static_cast<unsigned>(out.size()), nullptr);
}

}  // namespace weir::dataplane
