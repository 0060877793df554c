// SPDX-License-Identifier: BSD-3-Clause
// weirctl audit verify: needs no gateway.
#include "control/audit/audit.h"

#include "control/ctl/client.h"

#include <cstdio>
#include <string>

namespace weir::ctl {

Exit run_audit_verify(Client& /*client*/, const Call& call) {
    const std::string path = call.get("FILE");
    const auto report = control::verify_audit(path);
    if (!report) {
        return weir::ctl::report(call, "BROKEN", report.error().line(), Exit::failed);
    }
    if (call.json) {
        std::printf(
            "{\"ok\":true,\"lines\":%llu,\"first\":%llu,\"last\":%llu,\"files\":%u}\n",
            static_cast<unsigned long long>(report->lines),
            static_cast<unsigned long long>(report->first),
            static_cast<unsigned long long>(report->last),
            report->files);
        return Exit::ok;
    }
    std::printf(
        "%s: %llu lines in %u files, %llu to %llu, none edited, cut or moved\n",
        path.c_str(),
        static_cast<unsigned long long>(report->lines),
        report->files,
        static_cast<unsigned long long>(report->first),
        static_cast<unsigned long long>(report->last));
    return Exit::ok;
}

}  // namespace weir::ctl
