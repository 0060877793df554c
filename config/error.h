// SPDX-License-Identifier: BSD-3-Clause
// The one error type of configuration, models and control.
#pragma once

#include <string>
#include <utility>

#include <tl/expected.hpp>

namespace weir {

/// A refusal that a person can act on. Never thrown; carried by `Result`.
/// Thread: any. `where` names the file (and line, as "weir.yaml:12") or the object ("bundle ddos-v3"),
/// `field` the dotted path inside it ("ports[1].device"), `what` the finding, `fix` what to do about it.
struct Error {
    std::string where;
    std::string field;
    std::string what;
    std::string fix;

    /// One line for people: "weir.yaml:12: ports[1].device: unknown driver 'net_foo'; fix: use …".
    [[nodiscard]] std::string line() const {
        std::string out;
        for (const auto& part : {where, field}) {
            if (!part.empty()) {
                out += part + ": ";
            }
        }
        out += what;
        if (!fix.empty()) {
            out += "; fix: " + fix;
        }
        return out;
    }
};

template <typename T>
using Result = tl::expected<T, Error>;

/// Shorthand for `return fail(where, field, what, fix);`.
[[nodiscard]] inline tl::unexpected<Error> fail(
    std::string where, std::string field, std::string what, std::string fix = {}) {
    return tl::unexpected<Error>(
        Error{std::move(where), std::move(field), std::move(what), std::move(fix)});
}

}  // namespace weir
