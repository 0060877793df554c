// SPDX-License-Identifier: BSD-3-Clause
// The exporter that the configuration in force asks for.
#pragma once

#include "config/error.h"
#include "config/export.h"
#include "control/export/exporter.h"
#include "control/registry/report.h"

#include <memory>
#include <string>
#include <vector>

namespace weir::control {

/// Thread: one (control).
class ExportSwitch {
  public:
    /// `totals` must outlive this.
    explicit ExportSwitch(ExportTotals& totals) : totals_(totals) {}

    /// Ends what is open and opens what is `wanted`. `slots`: names by index.
    [[nodiscard]] Result<void> open(
        const config::Export& wanted, const std::vector<std::string>& slots);
    /// A reload: files are opened anew in any case, as whoever rotates them expects. What cannot be opened leaves the
    /// export as it was, with a warning.
    void follow(
        const config::Export& wanted, const std::vector<std::string>& slots, ReloadReport& report);
    /// Writes what is queued and ends.
    void close() { exporter_.reset(); }

    /// Null: nothing is exported.
    [[nodiscard]] Exporter* get() const noexcept { return exporter_.get(); }

  private:
    ExportTotals& totals_;
    config::Export configured_;
    std::unique_ptr<Exporter> exporter_;
};

}  // namespace weir::control
