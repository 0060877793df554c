// SPDX-License-Identifier: BSD-3-Clause
// client_bundles FOLDER: what independent_client.py brings to a gateway: operator.pub, and two versions of a model for
// slot anomaly signed by that key, v7.weir and v8.weir.
#include "tests/unit/control/gateway_fixture.h"

#include <cstdio>
#include <string>

int main(int argc, char** argv) {
    namespace test = weir::control::test;
    if (argc != 2) {
        (void)std::fprintf(stderr, "usage: %s FOLDER\n", argv[0]);
        return 2;
    }
    const std::string folder = std::string(argv[1]) + "/";
    if (const auto written =
            weir::kernels::write_key_files(test::operator_key(), folder + "operator");
        !written) {
        (void)std::fprintf(stderr, "%s\n", written.error().line().c_str());
        return 1;
    }
    for (const std::uint32_t version : {7U, 8U}) {
        test::write_bytes(
            folder + "v" + std::to_string(version) + ".weir",
            test::make_bundle({.name = "drill", .version = version}, test::operator_key()));
    }
    return 0;
}
