# -DXSTACK_FUZZ=ON (clang): the library is instrumented for libFuzzer, with the address and undefined-behaviour sanitizers
# on, so that a target finds its way by coverage and every overstep ends the run. tests/fuzz/ builds the targets.
if(XSTACK_FUZZ)
  if(NOT CMAKE_CXX_COMPILER_ID MATCHES "Clang")
    message(FATAL_ERROR "XSTACK_FUZZ needs clang: libFuzzer is part of it (use the preset `fuzz`)")
  endif()
  add_compile_options(-fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer)
  add_link_options(-fsanitize=address,undefined)
endif()
