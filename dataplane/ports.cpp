// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/ports.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <regex>
#include <string_view>

#include <rte_bus_vdev.h>
#include <rte_dev.h>
#include <rte_errno.h>
#include <rte_ethdev.h>
#include <rte_mbuf.h>

namespace weir::dataplane {

namespace {

// Ethernet header, two VLAN tags and the FCS.
constexpr std::uint32_t kFrameOverhead = 14 + 2 * 4 + 4;
constexpr std::uint32_t kMaxDataRoom = 65535 - RTE_PKTMBUF_HEADROOM;
constexpr std::uint32_t kPoolCache = 256;
constexpr std::uint32_t kInFlightPerQueue = 1024;

// Woo & Park, "Scalable TCP session monitoring with symmetric receive-side scaling" (2012): a key that repeats every
// 16 bits gives both directions of a flow the same hash.
constexpr std::array<std::uint8_t, 52> kSymmetricKey = [] {
    std::array<std::uint8_t, 52> key{};
    for (std::size_t i = 0; i < key.size(); ++i) {
        key[i] = i % 2 == 0 ? 0x6d : 0x5a;
    }
    return key;
}();

[[nodiscard]] std::string field(std::size_t index, const char* name) {
    return "ports[" + std::to_string(index) + "]." + name;
}

[[nodiscard]] std::string reason(int error) {
    return rte_strerror(error < 0 ? -error : error);
}

// What a person should check when a device of this kind will not open.
[[nodiscard]] std::string probe_advice(const std::string& device) {
    if (is_pci_address(device)) {
        return "bind it to vfio-pci (dpdk-devbind.py --status) and check the address";
    }
    if (device.find("iface=") != std::string::npos) {
        return "check that the interface exists (ip link) and that this process has CAP_NET_RAW";
    }
    if (device.find("pcap=") != std::string::npos) {
        return "check that the capture file exists and can be read";
    }
    return "check the driver's name and its arguments";
}

constexpr std::uint64_t kWantedRss =
    RTE_ETH_RSS_IP | RTE_ETH_RSS_TCP | RTE_ETH_RSS_UDP | RTE_ETH_RSS_SCTP;

[[nodiscard]] bool takes_symmetric_key(const rte_eth_dev_info& info) noexcept {
    return (kWantedRss & info.flow_type_rss_offloads) != 0 && info.hash_key_size != 0 &&
           info.hash_key_size <= kSymmetricKey.size();
}

// Drivers whose queues are as many as their arguments name, each with packets of its own.
[[nodiscard]] bool device_makes_queues(std::string_view driver) noexcept {
    return driver == "net_af_packet" || driver == "net_pcap";
}

void set_rss(
    const rte_eth_dev_info& info, std::uint16_t queues, rte_eth_conf& conf, PortHandle& handle) {
    if (queues < 2) {
        return;
    }
    if (!takes_symmetric_key(info)) {
        handle.notes.emplace_back(
            "no configurable RSS: the device spreads flows over the workers its own way");
        return;
    }
    conf.rxmode.mq_mode = RTE_ETH_MQ_RX_RSS;
    conf.rx_adv_conf.rss_conf.rss_key = const_cast<std::uint8_t*>(kSymmetricKey.data());
    conf.rx_adv_conf.rss_conf.rss_key_len = info.hash_key_size;
    conf.rx_adv_conf.rss_conf.rss_hf = kWantedRss & info.flow_type_rss_offloads;
}

}  // namespace

std::string device_name(const std::string& device) {
    return device.substr(0, device.find(','));
}

bool is_pci_address(const std::string& device) {
    static const std::regex pattern("([0-9a-fA-F]{4}:)?[0-9a-fA-F]{2}:[0-9a-fA-F]{2}\\.[0-7]");
    return std::regex_match(device_name(device), pattern);
}

bool spreads_symmetrically(std::uint16_t port_id, std::uint16_t queues) {
    rte_eth_dev_info info{};
    // net_tap has keys for its flow rules; its queues are filled by the kernel, as it likes.
    return rte_eth_dev_info_get(port_id, &info) == 0 && takes_symmetric_key(info) &&
           info.max_rx_queues >= queues && info.max_tx_queues >= queues &&
           std::string_view(info.driver_name) != "net_tap";
}

Ports::~Ports() {
    stop();
}

Result<void> Ports::start(
    const std::vector<config::Port>& ports,
    std::uint16_t workers,
    std::uint32_t waiting,
    config::Distribute distribute) {
    for (std::size_t i = 0; i < ports.size(); ++i) {
        if (auto ok = probe(ports[i], i); !ok) {
            return ok;
        }
    }
    plan_queues(workers, distribute);
    if (auto ok = create_pool(waiting); !ok) {
        return ok;
    }
    for (std::size_t i = 0; i < handles_.size(); ++i) {
        if (auto ok = configure(handles_[i], i); !ok) {
            return ok;
        }
    }
    return {};
}

Result<void> Ports::probe(const config::Port& port, std::size_t index) {
    const std::string name = device_name(port.device);
    PortHandle handle;
    handle.config = port;
    if (!is_pci_address(port.device)) {
        const std::string args =
            name.size() < port.device.size() ? port.device.substr(name.size() + 1) : "";
        if (const int error = rte_vdev_init(name.c_str(), args.c_str()); error != 0) {
            return fail(
                {},
                field(index, "device"),
                "cannot open '" + port.device + "': " + reason(error),
                probe_advice(port.device));
        }
        handle.vdev = true;
    }
    if (const int error = rte_eth_dev_get_port_by_name(name.c_str(), &handle.port_id); error != 0) {
        return fail(
            {},
            field(index, "device"),
            "no such port: '" + port.device + "'",
            probe_advice(port.device));
    }
    rte_eth_dev_info info{};
    if (const int error = rte_eth_dev_info_get(handle.port_id, &info); error != 0) {
        return fail({}, field(index, "device"), "the driver does not answer: " + reason(error));
    }
    handle.multi_segment_tx = (info.tx_offload_capa & RTE_ETH_TX_OFFLOAD_MULTI_SEGS) != 0;
    handles_.push_back(std::move(handle));
    return {};
}

void Ports::plan_queues(std::uint16_t workers, config::Distribute distribute) {
    software_ = workers > 1 && distribute == config::Distribute::software;
    if (workers > 1 && distribute == config::Distribute::automatic) {
        const auto at = std::find_if(handles_.begin(), handles_.end(), [&](const auto& handle) {
            return !spreads_symmetrically(handle.port_id, workers);
        });
        software_ = at != handles_.end();
        cannot_spread_ = software_ ? at->config.name : "";
    }
    for (PortHandle& handle : handles_) {
        handle.rx_queues = handle.tx_queues = workers;
        if (software_) {
            rte_eth_dev_info info{};
            rte_eth_dev_info_get(handle.port_id, &info);
            handle.rx_queues = device_makes_queues(info.driver_name) ? info.max_rx_queues : 1;
            handle.tx_queues = info.max_tx_queues >= workers ? workers : 1;
        }
    }
}

Result<void> Ports::create_pool(std::uint32_t waiting) {
    std::uint32_t mbufs = waiting;
    std::uint32_t largest_frame = 0;
    bool segments = true;
    for (const PortHandle& handle : handles_) {
        mbufs += handle.rx_queues * (handle.config.rx_descriptors + kInFlightPerQueue / 2) +
                 handle.tx_queues * (handle.config.tx_descriptors + kInFlightPerQueue / 2);
        largest_frame = std::max<std::uint32_t>(largest_frame, handle.config.mtu + kFrameOverhead);
        segments = segments && handle.multi_segment_tx;
    }
    // A port that cannot send chains needs every frame in one mbuf.
    std::uint32_t room = RTE_MBUF_DEFAULT_DATAROOM;
    if (!segments) {
        room = std::min(std::max(room, largest_frame), kMaxDataRoom);
    }
    static std::atomic<std::uint32_t> serial{0};  // several replays may run in a process
    const std::string name = "weir_mbufs_" + std::to_string(serial.fetch_add(1));
    pool_ = rte_pktmbuf_pool_create(
        name.c_str(),
        mbufs,
        kPoolCache,
        0,
        static_cast<std::uint16_t>(room + RTE_PKTMBUF_HEADROOM),
        SOCKET_ID_ANY);
    if (pool_ == nullptr) {
        const std::uint64_t mib = (std::uint64_t{mbufs} * (room + 512) >> 20) + 1;
        return fail(
            {},
            "eal.memory_mb",
            "no memory for " + std::to_string(mbufs) + " packet buffers (about " +
                std::to_string(mib) + " MiB): " + rte_strerror(rte_errno),
            "raise eal.memory_mb, reserve more hugepages, or lower rx_descriptors and "
            "tx_descriptors");
    }
    return {};
}

Result<void> Ports::configure(PortHandle& handle, std::size_t index) {
    rte_eth_dev_info info{};
    rte_eth_dev_info_get(handle.port_id, &info);
    if (handle.rx_queues > info.max_rx_queues || handle.tx_queues > info.max_tx_queues) {
        return fail(
            {},
            field(index, "device"),
            "has " + std::to_string(std::min(info.max_rx_queues, info.max_tx_queues)) +
                " queue pairs, " + std::to_string(handle.tx_queues) + " workers need one each",
            "use fewer workers.lcores, give the device more queues (net_af_packet: qpairs=N), or "
            "set workers.distribute to software");
    }
    rte_eth_conf conf{};
    conf.rxmode.mtu = handle.config.mtu;
    conf.intr_conf.rxq = interrupts_ && !software_ ? 1 : 0;
    const std::uint32_t frame = handle.config.mtu + kFrameOverhead;
    const std::uint32_t room = rte_pktmbuf_data_room_size(pool_) - RTE_PKTMBUF_HEADROOM;
    if (frame > room && (info.rx_offload_capa & RTE_ETH_RX_OFFLOAD_SCATTER) != 0) {
        conf.rxmode.offloads |= RTE_ETH_RX_OFFLOAD_SCATTER;
    }
    if (handle.multi_segment_tx) {
        conf.txmode.offloads |= RTE_ETH_TX_OFFLOAD_MULTI_SEGS;
    }
    set_rss(info, software_ ? 1 : handle.rx_queues, conf, handle);
    if (const int error =
            rte_eth_dev_configure(handle.port_id, handle.rx_queues, handle.tx_queues, &conf);
        error != 0) {
        return fail(
            {},
            field(index, "device"),
            "cannot configure it: " + reason(error),
            "check mtu (the device takes up to " + std::to_string(info.max_mtu) + ")");
    }
    std::uint16_t rx_descriptors = handle.config.rx_descriptors;
    std::uint16_t tx_descriptors = handle.config.tx_descriptors;
    rte_eth_dev_adjust_nb_rx_tx_desc(handle.port_id, &rx_descriptors, &tx_descriptors);
    handle.rx_ring = rx_descriptors;
    for (std::uint16_t queue = 0; queue < std::max(handle.rx_queues, handle.tx_queues); ++queue) {
        int error = 0;
        if (queue < handle.rx_queues) {
            error = rte_eth_rx_queue_setup(
                handle.port_id, queue, rx_descriptors, SOCKET_ID_ANY, nullptr, pool_);
        }
        if (queue < handle.tx_queues && error == 0) {
            error = rte_eth_tx_queue_setup(
                handle.port_id, queue, tx_descriptors, SOCKET_ID_ANY, nullptr);
        }
        if (error != 0) {
            return fail(
                {},
                field(index, "rx_descriptors"),
                "cannot set up queue " + std::to_string(queue) + ": " + reason(error));
        }
    }
    if (const int error = rte_eth_dev_set_mtu(handle.port_id, handle.config.mtu);
        error != 0 && error != -ENOTSUP) {
        handle.notes.push_back(
            "MTU " + std::to_string(handle.config.mtu) + " refused: " + reason(error));
    }
    if (const int error = rte_eth_dev_start(handle.port_id); error != 0) {
        return fail(
            {},
            field(index, "device"),
            "cannot start it: " + reason(error),
            probe_advice(handle.config.device));
    }
    const int error = handle.config.promiscuous ? rte_eth_promiscuous_enable(handle.port_id)
                                                : rte_eth_promiscuous_disable(handle.port_id);
    if (error != 0 && error != -ENOTSUP) {
        handle.notes.push_back("promiscuous mode refused: " + reason(error));
    }
    rte_eth_allmulticast_enable(handle.port_id);
    return {};
}

void Ports::stop() noexcept {
    for (const PortHandle& handle : handles_) {
        rte_eth_dev_stop(handle.port_id);
        rte_eth_dev_close(handle.port_id);
        if (handle.vdev) {
            rte_vdev_uninit(device_name(handle.config.device).c_str());
        }
    }
    handles_.clear();
    rte_mempool_free(pool_);
    pool_ = nullptr;
}

}  // namespace weir::dataplane
