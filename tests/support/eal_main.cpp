// SPDX-License-Identifier: BSD-3-Clause
// main() of tests that need DPDK's environment: unprivileged, no hugepages, no devices.
#include "dataplane/eal.h"
#include "dataplane/replay.h"

#include <cstdio>

#include <gtest/gtest.h>

int main(int argc, char** argv) {
    testing::InitGoogleTest(&argc, argv);
    if (const auto ok = weir::dataplane::start_replay_eal(4); !ok) {
        std::fprintf(stderr, "%s\n", ok.error().line().c_str());
        return 1;
    }
    const int status = RUN_ALL_TESTS();
    weir::dataplane::stop_eal();
    return status;
}
