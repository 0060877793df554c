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
    std::uint16_t queues = 1;
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
    [[nodiscard]] Result<void> start(
        const std::vector<config::Port>& ports, std::uint16_t queues, std::uint32_t waiting = 0);
    /// Stops and closes all. Workers must have stopped.
    void stop() noexcept;

    [[nodiscard]] const std::vector<PortHandle>& handles() const noexcept { return handles_; }

  private:
    [[nodiscard]] Result<void> probe(const config::Port& port, std::size_t index);
    [[nodiscard]] Result<void> create_pool(std::uint16_t queues, std::uint32_t waiting);
    [[nodiscard]] Result<void> configure(PortHandle& handle, std::size_t index);

    std::vector<PortHandle> handles_;
    rte_mempool* pool_ = nullptr;
};

/// "net_pcap0" of "net_pcap0,rx_pcap=a.pcap"; the whole text for a PCI address.
[[nodiscard]] std::string device_name(const std::string& device);
/// True for "0000:01:00.0" and "01:00.0".
[[nodiscard]] bool is_pci_address(const std::string& device);

}  // namespace weir::dataplane
