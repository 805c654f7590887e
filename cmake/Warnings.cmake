# What every product and test target is compiled with. Linked privately, never exported.
add_library(xstack_warnings INTERFACE)
target_compile_options(xstack_warnings INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wno-sign-conversion -Wold-style-cast -Wnon-virtual-dtor
  -Woverloaded-virtual -Wimplicit-fallthrough -Wno-missing-field-initializers -Wnull-dereference -Wformat=2)
if(XSTACK_WERROR)
  target_compile_options(xstack_warnings INTERFACE -Werror)
endif()
