// SPDX-License-Identifier: BSD-3-Clause
#include "control/gateway_view.h"

#include <utility>

namespace weir::control {

std::int64_t unix_now() {
    const auto now = std::chrono::system_clock::now().time_since_epoch();
    return std::chrono::duration_cast<std::chrono::seconds>(now).count();
}

GatewayView::GatewayView(Fixed fixed, const VerdictLedger& ledger)
    : fixed_(std::move(fixed)),
      ledger_(ledger),
      start_(std::chrono::steady_clock::now()),
      start_unix_(unix_now()),
      state_(std::make_shared<const ViewState>()) {}

void GatewayView::update(ViewState state) {
    auto next = std::make_shared<const ViewState>(std::move(state));
    const std::lock_guard lock(mutex_);
    state_.swap(next);
}

std::shared_ptr<const ViewState> GatewayView::state() const {
    const std::lock_guard lock(mutex_);
    return state_;
}

double GatewayView::uptime_seconds() const {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
}

}  // namespace weir::control
