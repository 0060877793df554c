// SPDX-License-Identifier: BSD-3-Clause
// A few flows out of many, such as those of the packets at hand.
#pragma once

#include "dataplane/flow/index_filter.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>

namespace weir::dataplane {

/// Flows by index. To ask for one that is not there costs a look, not a search.
template <std::size_t kMost>
class FewFlows {
  public:
    void clear() noexcept {
        count_ = 0;
        filter_.clear();
    }
    /// At most kMost between two clear().
    void add(std::uint32_t flow) noexcept {
        filter_.add(flow);
        flows_[count_++] = flow;
    }
    [[nodiscard]] bool has(std::uint32_t flow) const noexcept {
        return filter_.may_have(flow) &&
               std::find(flows_.begin(), flows_.begin() + count_, flow) != flows_.begin() + count_;
    }

  private:
    IndexFilter filter_;
    std::array<std::uint32_t, kMost> flows_{};
    std::uint32_t count_ = 0;
};

}  // namespace weir::dataplane
