// SPDX-License-Identifier: BSD-3-Clause
// The running data plane: EAL, ports and workers under one owner.
#pragma once

#include "config/config.h"
#include "config/error.h"
#include "dataplane/distributor.h"
#include "dataplane/ports.h"
#include "dataplane/runtime.h"
#include "dataplane/worker.h"

#include <array>
#include <atomic>
#include <memory>
#include <span>
#include <vector>

namespace weir::dataplane {

/// Sums over all workers and ports, for the summary and the conservation check.
struct Totals {
    std::uint64_t rx_packets = 0;
    std::uint64_t rx_bytes = 0;
    std::uint64_t tx_packets = 0;
    std::uint64_t tx_bytes = 0;
    std::uint64_t marked = 0;
    std::array<std::uint64_t, kDropReasons> drops{};

    [[nodiscard]] std::uint64_t dropped() const noexcept;
    /// rx = tx + Σ drops.
    [[nodiscard]] bool conserved() const noexcept { return rx_packets == tx_packets + dropped(); }
};

void add_totals(const WorkerStats& stats, Totals& totals) noexcept;
/// What no worker has counted: packets that found no room on their way to one, or none on their way from it.
void add_totals(const DistributorStats& stats, Totals& totals) noexcept;

/// Thread: main, but for the Runtime part (control).
class Gateway final : public Runtime {
  public:
    /// Opens ports and creates workers; EAL must be up. Nothing runs yet.
    [[nodiscard]] static Result<std::unique_ptr<Gateway>> create(const config::Config& config);
    ~Gateway() override;

    /// Launches the workers on their lcores.
    [[nodiscard]] Result<void> start();
    /// Stops the workers after they drained their queues, and ends their flows. Control goes on emptying the event
    /// rings meanwhile; what does not fit within a second is lost and counted.
    void stop_workers();

    [[nodiscard]] Totals totals() const noexcept;
    [[nodiscard]] std::vector<std::string> notes() const;

    [[nodiscard]] std::span<const WorkerInfo> workers() const override { return infos_; }
    [[nodiscard]] std::vector<PortInfo> ports() const override;
    [[nodiscard]] Publisher& publisher() override { return *publisher_; }
    [[nodiscard]] std::optional<DistributorInfo> distributor() const override;
    std::uint32_t drain_events(std::span<FlowRecord> out) override;
    [[nodiscard]] double tsc_hz() const override;
    void exchange_hosts() override;
    void tell_verdicts(bool on) override;
    std::uint32_t drain_verdicts(std::span<FlowRecord> out) override;
    [[nodiscard]] std::uint64_t verdicts_lost() const override;
    void start_walk() override;
    std::uint32_t drain_walk(std::span<FlowRecord> out, bool& over) override;
    [[nodiscard]] bool ask_sample(const FlowKey& key) override;
    [[nodiscard]] bool take_sample(FlowSample& out) override;
    void withdraw_sample() override;
    std::uint32_t drain_mirror(std::span<rte_mbuf*> out) override;

  private:
    Gateway() = default;
    [[nodiscard]] Result<void> create_workers(const config::Config& config);

    [[nodiscard]] Result<void> create_distributor(const config::Config& config, std::uint64_t seed);

    Ports ports_;
    std::unique_ptr<Distributor> distributor_;  ///< null: none needed
    std::uint32_t distributor_lcore_ = 0;
    std::vector<std::string> peers_;
    std::unique_ptr<Publisher> publisher_;
    std::unique_ptr<TscClock> clock_;
    std::vector<std::unique_ptr<HostReporter>> reporters_;  ///< none for one worker
    std::vector<std::unique_ptr<Worker>> workers_;
    std::unique_ptr<HostExchange> exchange_;  ///< null for one worker
    std::vector<WorkerInfo> infos_;
    mutable LinkStates links_{};
    std::atomic<bool> stop_{false};
    bool running_ = false;
};

}  // namespace weir::dataplane
