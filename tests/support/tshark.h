// SPDX-License-Identifier: BSD-3-Clause
// tshark as a judge of what we wrote: commands, their lines, and dissection of nothing but chosen protocols.
#pragma once

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <memory>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

namespace weir::test {

struct PipeClose {
    void operator()(FILE* pipe) const noexcept { pclose(pipe); }
};

[[nodiscard]] inline std::vector<std::string> split(const std::string& text, char by) {
    std::vector<std::string> parts;
    std::stringstream stream(text);
    for (std::string part; std::getline(stream, part, by);) {
        parts.push_back(part);
    }
    return parts;
}

/// The lines that a command prints.
[[nodiscard]] inline std::vector<std::string> lines_of(const std::string& command) {
    std::vector<std::string> lines;
    const std::unique_ptr<FILE, PipeClose> pipe(popen(command.c_str(), "r"));
    char* text = nullptr;
    std::size_t capacity = 0;
    for (ssize_t size = 0; pipe && (size = getline(&text, &capacity, pipe.get())) > 0;) {
        lines.emplace_back(text, static_cast<std::size_t>(size - 1));
    }
    std::free(text);  // NOLINT(cppcoreguidelines-no-malloc): getline's
    return lines;
}

[[nodiscard]] inline bool have_tshark() {
    return !lines_of("command -v tshark").empty();
}

/// tshark has no option to name the dissectors it may use, but a file of those that it may not: written to `file`, to be
/// called disabled_protos, all but `wanted` (names between spaces). tshark reads it from WIRESHARK_CONFIG_DIR.
inline void disable_dissectors_but(std::string_view wanted, const std::string& file) {
    std::ofstream out(file);
    for (const std::string& row : lines_of("tshark -G protocols 2>/dev/null")) {
        const std::string name = split(row, '\t').at(2);
        if (wanted.find(' ' + name + ' ') == std::string_view::npos) {
            out << name << '\n';
        }
    }
}

/// The layers that parse knows.
inline constexpr std::string_view kParsedDissectors =
    " frame eth ethertype vlan ieee8021ad ip ipv6 ipv6.hopopts ipv6.routing ipv6.fraghdr "
    "ipv6.dstopts tcp udp udplite sctp dccp icmp icmpv6 mpls pwethcw pwethheuristic pppoes ppp "
    "gre erspan vxlan geneve gtp teredo ah mipv6 hip shim6 ";

}  // namespace weir::test
