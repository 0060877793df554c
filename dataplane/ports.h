// SPDX-License-Identifier: BSD-3-Clause
// DPDK ports, from configuration to running.
#pragma once

#include "config/config.h"
#include "config/error.h"

#include <cstdint>
#include <string>
#include <vector>

struct rte_mempool;

namespace weir::dataplane {

/// A started port. Owned by Ports.
struct PortHandle {
    config::Port config;
    std::uint16_t port_id = 0;
    std::uint16_t rx_queues = 1;
    std::uint16_t tx_queues = 1;
    std::uint16_t rx_ring = 0;  ///< descriptors a queue, as the driver rounded them
    bool vdev = false;
    bool multi_segment_tx = false;
    std::vector<std::string> notes;  ///< what the device could not do, for the log
};

/// All ports of a gateway and their mbuf pool. Thread: main.
class Ports {
  public:
    Ports() = default;
    ~Ports();
    Ports(const Ports&) = delete;
    Ports& operator=(const Ports&) = delete;

    /// Probes, configures (one RX/TX queue pair a worker, symmetric RSS where there are several and the device has it,
    /// MTU, promiscuous mode, scatter or large mbufs for jumbo frames) and starts every port.
    /// On failure names ports[i].field, and what was started is stopped by the destructor.
    /// `waiting`: packets that may wait for their turn beside those in the ports' rings.
    /// Where a distributor is to spread flows (software()), ports have the RX queues that their device makes, else one, and
    /// a TX queue a worker, else one.
    [[nodiscard]] Result<void> start(
        const std::vector<config::Port>& ports,
        std::uint16_t workers,
        std::uint32_t waiting = 0,
        config::Distribute distribute = config::Distribute::rss);
    /// Before start(): ports are to tell by interrupt that packets came, where they can.
    void want_interrupts() noexcept { interrupts_ = true; }
    /// Stops and closes all. Workers must have stopped.
    void stop() noexcept;

    /// There are several workers, and a distributor has to spread flows: by configuration, or because some port cannot.
    [[nodiscard]] bool software() const noexcept { return software_; }
    /// The port for which there has to be one; empty: the configuration wants it.
    [[nodiscard]] const std::string& cannot_spread() const noexcept { return cannot_spread_; }

    [[nodiscard]] const std::vector<PortHandle>& handles() const noexcept { return handles_; }

  private:
    [[nodiscard]] Result<void> probe(const config::Port& port, std::size_t index);
    [[nodiscard]] Result<void> create_pool(std::uint32_t waiting);
    void plan_queues(std::uint16_t workers, config::Distribute distribute);
    [[nodiscard]] Result<void> configure(PortHandle& handle, std::size_t index);

    std::vector<PortHandle> handles_;
    rte_mempool* pool_ = nullptr;
    bool interrupts_ = false;
    bool software_ = false;
    std::string cannot_spread_;
};

/// Can the port give both directions of a flow to one of `queues` queues by itself?
[[nodiscard]] bool spreads_symmetrically(std::uint16_t port_id, std::uint16_t queues);

/// "net_pcap0" of "net_pcap0,rx_pcap=a.pcap"; the whole text for a PCI address.
[[nodiscard]] std::string device_name(const std::string& device);
/// True for "0000:01:00.0" and "01:00.0".
[[nodiscard]] bool is_pci_address(const std::string& device);

}  // namespace weir::dataplane
