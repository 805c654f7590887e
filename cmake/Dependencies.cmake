# Debian 12's versions are the floor. Everything comes from the system: nothing is downloaded, nothing is vendored.
find_package(PkgConfig REQUIRED)
find_package(fmt 9.1 REQUIRED)
find_package(tl-expected 1.0 REQUIRED)
find_package(nlohmann_json 3.11 REQUIRED)
find_package(CLI11 2.1 REQUIRED)
pkg_check_modules(LIBELF REQUIRED IMPORTED_TARGET libelf>=0.188)
pkg_check_modules(LIBDW REQUIRED IMPORTED_TARGET libdw>=0.188)
pkg_check_modules(ZLIB REQUIRED IMPORTED_TARGET zlib)
pkg_check_modules(LZMA REQUIRED IMPORTED_TARGET liblzma)
pkg_check_modules(ZSTD REQUIRED IMPORTED_TARGET libzstd)
# Debian's libfdt-dev has no file for pkg-config.
find_path(LIBFDT_INCLUDE_DIR libfdt.h REQUIRED)
find_library(LIBFDT_LIBRARY fdt REQUIRED)
mark_as_advanced(LIBFDT_INCLUDE_DIR LIBFDT_LIBRARY)

# The libraries of the system that the core links, as one target: shared as pkg-config says, or, with XSTACK_STATIC,
# the archives of the same -dev packages, so that only libc (with libm and the loader) stays dynamic.
add_library(xstack_system_libs INTERFACE)
if(XSTACK_STATIC)
  # In link order: what is used comes after its user. bzip2 is used by libdw only.
  foreach(name dw elf lzma zstd bz2 z fdt)
    find_library(XSTACK_ARCHIVE_${name} lib${name}.a REQUIRED)
    mark_as_advanced(XSTACK_ARCHIVE_${name})
    target_link_libraries(xstack_system_libs INTERFACE ${XSTACK_ARCHIVE_${name}})
  endforeach()
  target_include_directories(xstack_system_libs SYSTEM INTERFACE ${LIBDW_INCLUDE_DIRS} ${LIBELF_INCLUDE_DIRS}
    ${LIBFDT_INCLUDE_DIR})
  add_link_options(-static-libstdc++ -static-libgcc)
  add_library(xstack_fmt ALIAS fmt::fmt-header-only)
else()
  target_link_libraries(xstack_system_libs INTERFACE PkgConfig::LIBDW PkgConfig::LIBELF PkgConfig::LZMA PkgConfig::ZSTD
    PkgConfig::ZLIB ${LIBFDT_LIBRARY})
  target_include_directories(xstack_system_libs SYSTEM INTERFACE ${LIBFDT_INCLUDE_DIR})
  add_library(xstack_fmt ALIAS fmt::fmt)
endif()
