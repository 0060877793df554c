// SPDX-License-Identifier: BSD-3-Clause
#include "control/export_switch.h"

#include <utility>

namespace weir::control {

Result<void> ExportSwitch::open(
    const config::Export& wanted, const std::vector<std::string>& slots) {
    exporter_.reset();
    configured_ = wanted;
    if (!wanted.any()) {
        return {};
    }
    auto started = Exporter::start(wanted, slots, totals_);
    if (!started) {
        return tl::unexpected(std::move(started.error()));
    }
    exporter_ = std::move(*started);
    return {};
}

void ExportSwitch::follow(
    const config::Export& wanted, const std::vector<std::string>& slots, ReloadReport& report) {
    if (wanted == configured_) {
        if (exporter_) {
            exporter_->reopen();
        }
        return;
    }
    const config::Export before = configured_;
    if (const auto opened = open(wanted, slots); opened) {
        report.applied.emplace_back("export: as configured now");
    } else {
        report.warnings.push_back("export: as before: " + opened.error().line());
        (void)open(before, slots);
    }
}

}  // namespace weir::control
