// SPDX-License-Identifier: BSD-3-Clause
// A data plane without EAL: counters that tests set, a real publisher, no workers.
#pragma once

#include "dataplane/runtime.h"
#include "dataplane/snapshot_build.h"

#include <array>
#include <deque>
#include <memory>
#include <mutex>
#include <vector>

namespace weir::control::test {

class FakeRuntime final : public dataplane::Runtime {
  public:
    explicit FakeRuntime(std::uint32_t workers = 2) : stats_(workers) {
        for (std::uint32_t i = 0; i < workers; ++i) {
            stats_[i] = std::make_unique<dataplane::WorkerStats>();
            infos_.push_back({i, i + 1, 4096, stats_[i].get(), {"voice"}});
        }
        publisher_ =
            *dataplane::Publisher::create(workers, std::make_unique<const dataplane::Snapshot>());
        ports_.resize(2);
        ports_[0] = {
            .name = "left",
            .device = "net_null0",
            .link_up = true,
            .link_mbps = 10000,
            .mtu = 1500,
            .peer = "right"};
        ports_[1] = {
            .name = "right", .device = "net_null1", .port_id = 1, .mtu = 1500, .peer = "left"};
    }

    [[nodiscard]] std::span<const dataplane::WorkerInfo> workers() const override { return infos_; }
    [[nodiscard]] std::vector<dataplane::PortInfo> ports() const override {
        const std::lock_guard lock(mutex_);
        return ports_;
    }
    [[nodiscard]] dataplane::Publisher& publisher() override { return *publisher_; }
    std::uint32_t drain_events(std::span<dataplane::FlowRecord> out) override {
        const std::lock_guard lock(mutex_);
        std::uint32_t n = 0;
        while (n < out.size() && !events_.empty()) {
            out[n++] = events_.front();
            events_.pop_front();
        }
        return n;
    }
    [[nodiscard]] double tsc_hz() const override { return 2.0e9; }

    [[nodiscard]] dataplane::WorkerStats& stats(std::uint32_t worker) { return *stats_[worker]; }
    void set_ports(std::vector<dataplane::PortInfo> ports) {
        const std::lock_guard lock(mutex_);
        ports_ = std::move(ports);
    }
    void add_event(const dataplane::FlowRecord& record) {
        const std::lock_guard lock(mutex_);
        events_.push_back(record);
    }
    /// Counts one scored row as a worker would, by the snapshot in use.
    void count_verdict(
        std::uint32_t worker, std::uint32_t slot, std::uint8_t class_id, std::uint64_t rows) {
        const auto& use = publisher_->current().slots.at(slot);
        stats(worker).slots[slot].verdicts[use.verdict_block][class_id].add(rows);
        stats(worker).slots[slot].scored.add(rows);
    }

  private:
    std::vector<std::unique_ptr<dataplane::WorkerStats>> stats_;
    std::vector<dataplane::WorkerInfo> infos_;
    std::unique_ptr<dataplane::Publisher> publisher_;
    mutable std::mutex mutex_;
    std::vector<dataplane::PortInfo> ports_;
    std::deque<dataplane::FlowRecord> events_;
};

}  // namespace weir::control::test
