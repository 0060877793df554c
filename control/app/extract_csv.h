// SPDX-License-Identifier: BSD-3-Clause
// Feature rows as CSV.
#pragma once

#include "control/app/extract_labels.h"
#include "control/app/extract_rows.h"

#include <string>

namespace weir::app {

/// The header line, without line break: columns of the flow, then every feature's, as the catalog lists them.
[[nodiscard]] std::string extract_header(const ExtractColumns& columns);

/// Lines of one capture's rows. Thread: any.
class ExtractCsv {
  public:
    /// `labels` may be null; they must outlive this.
    ExtractCsv(const ExtractColumns& columns, const FlowLabels* labels, const std::string& capture);
    /// Appends one line, line break included.
    void append(const ExtractRow& row, std::string& out) const;

  private:
    ExtractColumns columns_;
    const FlowLabels* labels_;
    std::string capture_;  ///< as a CSV field
};

}  // namespace weir::app
