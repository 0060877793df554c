// SPDX-License-Identifier: BSD-3-Clause
// Frames as mbufs. Needs EAL (tests/support/eal_main.cpp).
#pragma once

#include "tests/packets/packet_builder.h"

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <vector>

#include <rte_mbuf.h>

namespace weir::test {

/// A pool of small mbufs; freed with it, and a leak is an abort.
class MbufPool {
  public:
    explicit MbufPool(const char* name)
        : pool_(rte_pktmbuf_pool_create(name, kMbufs, 0, 0, 2048, SOCKET_ID_ANY)) {
        if (pool_ == nullptr) {
            std::abort();
        }
    }
    ~MbufPool() {
        if (rte_mempool_in_use_count(pool_) != 0) {
            std::abort();
        }
        rte_mempool_free(pool_);
    }
    MbufPool(const MbufPool&) = delete;
    MbufPool& operator=(const MbufPool&) = delete;

    /// `frame` in segments of these sizes; the last takes the rest, which may be nothing.
    [[nodiscard]] rte_mbuf* make(const Bytes& frame, const std::vector<std::size_t>& sizes = {}) {
        rte_mbuf* head = nullptr;
        std::size_t at = 0;
        for (std::size_t n = 0; n <= sizes.size(); ++n) {
            const std::size_t size = n < sizes.size() ? sizes[n] : frame.size() - at;
            rte_mbuf* segment = rte_pktmbuf_alloc(pool_);
            char* const data = rte_pktmbuf_append(segment, static_cast<std::uint16_t>(size));
            if (data == nullptr || (head != nullptr && rte_pktmbuf_chain(head, segment) != 0)) {
                std::abort();
            }
            std::copy_n(frame.data() + at, size, data);
            at += size;
            head = head == nullptr ? segment : head;
        }
        return head;
    }

    /// All segments' bytes.
    [[nodiscard]] static Bytes bytes(const rte_mbuf* mbuf) {
        Bytes out;
        for (; mbuf != nullptr; mbuf = mbuf->next) {
            const auto* const data = rte_pktmbuf_mtod(mbuf, const std::uint8_t*);
            out.insert(out.end(), data, data + mbuf->data_len);
        }
        return out;
    }

    [[nodiscard]] rte_mempool* get() const { return pool_; }

  private:
    static constexpr unsigned kMbufs = 511;
    rte_mempool* pool_;
};

}  // namespace weir::test
