// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/ring_port.h"

#include <array>
#include <atomic>
#include <bit>
#include <string>

#include <rte_bus_vdev.h>
#include <rte_errno.h>
#include <rte_eth_ring.h>
#include <rte_ethdev.h>
#include <rte_mbuf.h>
#include <rte_ring.h>

namespace weir::dataplane {

namespace {

void free_ring(rte_ring* ring) noexcept {
    void* packet = nullptr;
    while (rte_ring_sc_dequeue(ring, &packet) == 0) {
        rte_pktmbuf_free(static_cast<rte_mbuf*>(packet));
    }
    rte_ring_free(ring);
}

[[nodiscard]] tl::unexpected<Error> cannot(const std::string& what, int error) {
    return fail(
        {},
        "eal.memory_mb",
        "cannot make the distributor's " + what + ": " + rte_strerror(error < 0 ? -error : error),
        "raise eal.memory_mb");
}

}  // namespace

Result<std::unique_ptr<RingPort>> RingPort::create(std::uint32_t queues, std::uint32_t packets) {
    static std::atomic<std::uint32_t> serial{0};
    const std::string name = "weir_d" + std::to_string(serial.fetch_add(1));
    std::unique_ptr<RingPort> port(new RingPort);
    for (std::uint32_t n = 0; n < 2 * queues; ++n) {
        // A ring of rte_ring holds one less than its size.
        rte_ring* const ring = rte_ring_create(
            (name + "_" + std::to_string(n)).c_str(),
            std::bit_ceil(packets + 1),
            SOCKET_ID_ANY,
            RING_F_SP_ENQ | RING_F_SC_DEQ);
        if (ring == nullptr) {
            return cannot("rings", rte_errno);
        }
        (n < queues ? port->rx_ : port->tx_).push_back(ring);
    }
    const int id =
        rte_eth_from_rings(name.c_str(), port->rx_.data(), queues, port->tx_.data(), queues, 0);
    if (id < 0) {
        return cannot("port of rings", rte_errno);
    }
    port->id_ = static_cast<std::uint16_t>(id);
    port->open_ = true;
    if (auto ok = port->start(queues); !ok) {
        return tl::unexpected(ok.error());
    }
    return port;
}

Result<void> RingPort::start(std::uint32_t queues) {
    const auto count = static_cast<std::uint16_t>(queues);
    rte_eth_conf conf{};
    int error = rte_eth_dev_configure(id_, count, count, &conf);
    // ethdev wants a pool for a receive queue, the driver none: it takes packets that others allocated.
    static rte_mempool* const pool =
        rte_pktmbuf_pool_create("weir_no_mbufs", 1, 0, 0, RTE_MBUF_DEFAULT_BUF_SIZE, SOCKET_ID_ANY);
    for (std::uint16_t queue = 0; queue < count && error == 0; ++queue) {
        error = rte_eth_rx_queue_setup(id_, queue, 0, SOCKET_ID_ANY, nullptr, pool);
        error = error != 0 ? error : rte_eth_tx_queue_setup(id_, queue, 0, SOCKET_ID_ANY, nullptr);
    }
    error = error != 0 ? error : rte_eth_dev_start(id_);
    if (error != 0) {
        return cannot("port of rings", error);
    }
    return {};
}

RingPort::~RingPort() {
    if (open_) {
        std::array<char, RTE_ETH_NAME_MAX_LEN> name{};
        rte_eth_dev_get_name_by_port(id_, name.data());
        rte_eth_dev_stop(id_);
        rte_eth_dev_close(id_);
        rte_vdev_uninit(name.data());
    }
    for (rte_ring* const ring : rx_) {
        free_ring(ring);
    }
    for (rte_ring* const ring : tx_) {
        free_ring(ring);
    }
}

}  // namespace weir::dataplane
