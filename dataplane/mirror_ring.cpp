// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/mirror_ring.h"

#define ALLOW_EXPERIMENTAL_API  // all of rte_pcapng, in DPDK 22.11

#include <algorithm>
#include <bit>
#include <cstring>

#include <rte_cycles.h>
#include <rte_errno.h>
#include <rte_lcore.h>
#include <rte_mbuf.h>
#include <rte_pcapng.h>
#include <rte_ring.h>

namespace weir::dataplane {

namespace {

constexpr std::uint16_t kPrivateBytes =
    (sizeof(MirrorTag) + RTE_MBUF_PRIV_ALIGN - 1) / RTE_MBUF_PRIV_ALIGN * RTE_MBUF_PRIV_ALIGN;

[[nodiscard]] MirrorTag* private_part(rte_mbuf* copy) noexcept {
    return static_cast<MirrorTag*>(rte_mbuf_to_priv(copy));
}

[[nodiscard]] Error no_memory(const std::string& what) {
    return {
        {},
        "policy.mirror.queue_packets",
        "cannot create " + what + ": " + rte_strerror(rte_errno),
        "lower it, or raise eal.memory_mb"};
}

}  // namespace

Result<std::unique_ptr<MirrorRing>> MirrorRing::create(
    const std::string& name, std::uint32_t packets, std::uint32_t snap_bytes) {
    std::unique_ptr<MirrorRing> out(new MirrorRing);
    out->snap_bytes_ = snap_bytes;
    out->ring_ = rte_ring_create(
        name.c_str(), std::bit_ceil(packets + 1), SOCKET_ID_ANY, RING_F_SP_ENQ | RING_F_SC_DEQ);
    if (out->ring_ == nullptr) {
        return tl::unexpected(no_memory("its ring"));
    }
    // No cache a thread: the worker takes, the consumer gives back. Several may give back, as the consumer does not mind;
    // the one that takes waits for nobody.
    const std::uint32_t bytes =
        RTE_PKTMBUF_HEADROOM + rte_pcapng_mbuf_size(snap_bytes) + kTailBytes;
    out->pool_ = rte_pktmbuf_pool_create_by_ops(
        name.c_str(),
        packets,
        0,
        kPrivateBytes,
        static_cast<std::uint16_t>(std::min<std::uint32_t>(bytes, UINT16_MAX)),
        SOCKET_ID_ANY,
        "ring_mp_sc");
    if (out->pool_ == nullptr) {
        return tl::unexpected(no_memory("its packets"));
    }
    // The first copy asks the clock; no worker shall.
    if (rte_mbuf* const first = rte_pktmbuf_alloc(out->pool_); first != nullptr) {
        rte_pktmbuf_free(rte_pcapng_copy(
            0, 0, first, out->pool_, snap_bytes, rte_rdtsc(), RTE_PCAPNG_DIRECTION_IN));
        rte_pktmbuf_free(first);
    }
    return out;
}

MirrorRing::~MirrorRing() {
    if (ring_ != nullptr) {
        void* left = nullptr;
        while (rte_ring_sc_dequeue(ring_, &left) == 0) {
            rte_pktmbuf_free(static_cast<rte_mbuf*>(left));
        }
        rte_ring_free(ring_);
    }
    rte_mempool_free(pool_);
}

bool MirrorRing::push(
    const rte_mbuf& packet,
    std::uint16_t port_id,
    std::uint16_t queue,
    const MirrorTag& tag) noexcept {
    // The pool holds no more copies than the ring has room for.
    rte_mbuf* const copy = rte_pcapng_copy(
        port_id, queue, &packet, pool_, snap_bytes_, rte_rdtsc(), RTE_PCAPNG_DIRECTION_IN);
    if (copy == nullptr) {
        return false;
    }
    *private_part(copy) = tag;
    if (rte_ring_sp_enqueue(ring_, copy) == 0) {
        return true;
    }
    rte_pktmbuf_free(copy);
    return false;
}

std::uint32_t MirrorRing::pop(std::span<rte_mbuf*> out) noexcept {
    return rte_ring_sc_dequeue_burst(
        ring_, reinterpret_cast<void**>(out.data()), static_cast<unsigned>(out.size()), nullptr);
}

const MirrorTag& MirrorRing::tag(const rte_mbuf& copy) noexcept {
    return *private_part(const_cast<rte_mbuf*>(&copy));
}

}  // namespace weir::dataplane
