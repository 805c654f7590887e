# What every product and test target is compiled with. Linked privately, never exported.
add_library(xstack_warnings INTERFACE)
target_compile_options(xstack_warnings INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wno-sign-conversion -Wold-style-cast -Wnon-virtual-dtor
  -Woverloaded-virtual -Wimplicit-fallthrough -Wno-missing-field-initializers -Wnull-dereference -Wformat=2)
if(XSTACK_WERROR)
  target_compile_options(xstack_warnings INTERFACE -Werror)
endif()
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
  # GCC 12 takes std::string's own code for an overlapping copy (its bug 105651).
  target_compile_options(xstack_warnings INTERFACE -Wno-restrict)
endif()
