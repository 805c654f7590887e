# SPDX-License-Identifier: LGPL-2.1-or-later
# Run by cpack on the staged files: Debian wants manual pages and changelogs compressed, without a time stamp.
file(GLOB_RECURSE documents "${CPACK_TEMPORARY_DIRECTORY}/usr/share/man/*.1"
  "${CPACK_TEMPORARY_DIRECTORY}/usr/share/doc/xstack/changelog")
foreach(document ${documents})
  execute_process(COMMAND gzip -9nf ${document} COMMAND_ERROR_IS_FATAL ANY)
endforeach()
