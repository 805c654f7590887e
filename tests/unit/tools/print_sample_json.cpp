// SPDX-License-Identifier: LGPL-2.1-or-later
// Prints the sample report as JSON, for validators that are not part of the tests.
#include <iostream>

#include "tests/support/sample_report.h"
#include "tools/print/printer.h"

int main() {
  std::cout << xstack::make_json_printer()->print(xstack::test::sample_report());
  return std::cout.good() ? 0 : 1;
}
