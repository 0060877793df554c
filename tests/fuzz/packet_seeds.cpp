// SPDX-License-Identifier: BSD-3-Clause
// Writes the seeds of the packet fuzzer anew: packet_seeds FOLDER. Needed only when fixtures are added.
#include "tests/packets/fixtures.h"

#include <cstdio>
#include <fstream>
#include <string>
#include <string_view>

namespace {

using weir::test::Bytes;

// "mpls, ipv4" → mpls-ipv4
std::string file_name(std::string_view name) {
    std::string out;
    for (const char c : name) {
        const bool plain = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
        if (plain) {
            out += c;
        } else if (!out.empty() && out.back() != '-') {
            out += '-';
        }
    }
    return out;
}

bool save(const std::string& folder, const char* name, const Bytes& frame) {
    const std::string path = folder + '/' + file_name(name);
    const Bytes bytes = weir::test::join({{0, 46}, frame});
    std::ofstream file(path, std::ios::binary);
    file.write(
        reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
    file.close();
    if (!file) {
        (void)std::fprintf(stderr, "%s: cannot be written\n", path.c_str());
    }
    return static_cast<bool>(file);
}

}  // namespace

int main(int argc, char** argv) {
    if (argc != 2) {
        (void)std::fprintf(stderr, "usage: %s FOLDER\n", argv[0]);
        return 2;
    }
    bool ok = true;
    for (const weir::test::Fixture& fixture : weir::test::all_fixtures()) {
        ok = save(argv[1], fixture.name, fixture.build({}, 0)) && ok;
    }
    for (const weir::test::Refused& packet : weir::test::refused_packets()) {
        ok = save(argv[1], packet.name, packet.frame) && ok;
    }
    return ok ? 0 : 1;
}
