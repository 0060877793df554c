// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "config/error.h"
#include "dataplane/events.h"

#include <cstdint>
#include <memory>
#include <span>
#include <string>

struct rte_ring;

namespace weir::dataplane {

/// Flow records from one worker to control: bounded, wait-free, single producer, single consumer (rte_ring).
class EventRing {
  public:
    /// `capacity`: records, rounded up to a power of two; `name`: of the kind, at most 17 characters; a number is added.
    /// Needs EAL.
    [[nodiscard]] static Result<std::unique_ptr<EventRing>> create(
        const std::string& name, std::uint32_t capacity);
    ~EventRing();
    EventRing(const EventRing&) = delete;
    EventRing& operator=(const EventRing&) = delete;

    /// False if the ring is full (the record is lost; the caller counts it). Thread: the worker.
    [[nodiscard]] bool push(const FlowRecord& record) noexcept;
    /// Records that still fit. Thread: any, a lower bound for the producer.
    [[nodiscard]] std::uint32_t room() const noexcept;
    /// Takes up to out.size() records. Thread: control.
    [[nodiscard]] std::uint32_t pop(std::span<FlowRecord> out) noexcept;

  private:
    EventRing() = default;
    rte_ring* ring_ = nullptr;
};

}  // namespace weir::dataplane
