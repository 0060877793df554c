// SPDX-License-Identifier: BSD-3-Clause
#include "control/lab/commands.h"

#include <iostream>

#include <nlohmann/json.hpp>

namespace weir::lab {

Exit report(const Error& error, Exit exit) {
    std::cerr << "weirlab: " << error.line() << '\n';
    return exit;
}

Exit report_json(const Error& error, bool json, Exit exit) {
    if (json) {
        nlohmann::ordered_json out;
        out["ok"] = false;
        out["error"] = {
            {"where", error.where},
            {"field", error.field},
            {"what", error.what},
            {"fix", error.fix}};
        // A path given by the user need not be UTF-8.
        std::cout << out.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace)
                  << '\n';
    }
    return report(error, exit);
}

}  // namespace weir::lab
