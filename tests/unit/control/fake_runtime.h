// SPDX-License-Identifier: BSD-3-Clause
// A data plane without EAL: counters that tests set, a real publisher, no workers.
#pragma once

#include "dataplane/runtime.h"
#include "dataplane/snapshot_build.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

namespace weir::control::test {

class FakeRuntime : public dataplane::Runtime {
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
    [[nodiscard]] std::optional<dataplane::DistributorInfo> distributor() const override {
        const std::lock_guard lock(mutex_);
        return distributor_;
    }
    [[nodiscard]] dataplane::Publisher& publisher() override { return *publisher_; }
    std::uint32_t drain_events(std::span<dataplane::FlowRecord> out) override {
        return take(events_, out);
    }
    [[nodiscard]] double tsc_hz() const override { return 2.0e9; }
    void tell_verdicts(bool on) override { telling_ = on; }
    std::uint32_t drain_verdicts(std::span<dataplane::FlowRecord> out) override {
        return take(verdicts_, out);
    }
    [[nodiscard]] std::uint64_t verdicts_lost() const override {
        const std::lock_guard lock(mutex_);
        return verdicts_lost_;
    }
    void start_walk() override { ++walks_; }
    std::uint32_t drain_walk(std::span<dataplane::FlowRecord> out, bool& over) override {
        const auto taken = take(flows_, out);
        over = walks_finish_ && taken < out.size();
        return taken;
    }

    [[nodiscard]] bool ask_sample(const dataplane::FlowKey& key) override {
        const std::lock_guard lock(mutex_);
        wanted_ = key;
        ++asked_samples_;
        return true;
    }
    [[nodiscard]] bool take_sample(dataplane::FlowSample& out) override {
        const std::lock_guard lock(mutex_);
        const auto at = std::find_if(samples_.begin(), samples_.end(), [&](const auto& sample) {
            return wanted_ && sample.flow.key == *wanted_;
        });
        if (at == samples_.end()) {
            return false;
        }
        out = *at;
        samples_.erase(at);
        wanted_.reset();
        return true;
    }
    void withdraw_sample() override {
        const std::lock_guard lock(mutex_);
        wanted_.reset();
    }
    /// What a flow's next packet is.
    void add_sample(const dataplane::FlowSample& sample) {
        const std::lock_guard lock(mutex_);
        samples_.push_back(sample);
    }
    /// A worker is asked for a packet just now.
    [[nodiscard]] bool sampling() const {
        const std::lock_guard lock(mutex_);
        return wanted_.has_value();
    }
    [[nodiscard]] std::uint32_t asked_samples() const {
        const std::lock_guard lock(mutex_);
        return asked_samples_;
    }

    [[nodiscard]] dataplane::WorkerStats& stats(std::uint32_t worker) { return *stats_[worker]; }
    void set_ports(std::vector<dataplane::PortInfo> ports) {
        const std::lock_guard lock(mutex_);
        ports_ = std::move(ports);
    }
    void set_distributor(dataplane::DistributorInfo info) {
        const std::lock_guard lock(mutex_);
        distributor_ = std::move(info);
    }
    void add_event(const dataplane::FlowRecord& record) {
        const std::lock_guard lock(mutex_);
        events_.push_back(record);
    }
    [[nodiscard]] bool telling() const { return telling_; }
    void add_verdict(const dataplane::FlowRecord& record) {
        const std::lock_guard lock(mutex_);
        verdicts_.push_back(record);
    }
    void lose_verdicts(std::uint64_t count) {
        const std::lock_guard lock(mutex_);
        verdicts_lost_ += count;
    }
    /// What a walk finds.
    void add_flow(const dataplane::FlowRecord& record) {
        const std::lock_guard lock(mutex_);
        flows_.push_back(record);
    }
    /// Whether workers get through their tables.
    void finish_walks(bool on) { walks_finish_ = on; }
    [[nodiscard]] std::uint32_t walks() const { return walks_; }
    /// Counts one scored row as a worker would, by the snapshot in use.
    void count_verdict(
        std::uint32_t worker, std::uint32_t slot, std::uint8_t class_id, std::uint64_t rows) {
        const auto& use = publisher_->current().slots.at(slot);
        stats(worker).slots[slot].verdicts[use.verdict_block][class_id].add(rows);
        stats(worker).slots[slot].scored.add(rows);
    }

  private:
    std::uint32_t take(
        std::deque<dataplane::FlowRecord>& from, std::span<dataplane::FlowRecord> out) {
        const std::lock_guard lock(mutex_);
        std::uint32_t n = 0;
        while (n < out.size() && !from.empty()) {
            out[n++] = from.front();
            from.pop_front();
        }
        return n;
    }

    std::vector<std::unique_ptr<dataplane::WorkerStats>> stats_;
    std::vector<dataplane::WorkerInfo> infos_;
    std::unique_ptr<dataplane::Publisher> publisher_;
    mutable std::mutex mutex_;
    std::vector<dataplane::PortInfo> ports_;
    std::optional<dataplane::DistributorInfo> distributor_;
    std::deque<dataplane::FlowRecord> events_;
    std::deque<dataplane::FlowRecord> verdicts_;
    std::deque<dataplane::FlowRecord> flows_;
    std::uint64_t verdicts_lost_ = 0;
    std::vector<dataplane::FlowSample> samples_;
    std::optional<dataplane::FlowKey> wanted_;
    std::uint32_t asked_samples_ = 0;
    std::atomic<bool> telling_{false};
    std::atomic<bool> walks_finish_{false};
    std::atomic<std::uint32_t> walks_{0};
};

}  // namespace weir::control::test
