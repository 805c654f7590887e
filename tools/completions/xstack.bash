# SPDX-License-Identifier: LGPL-2.1-or-later
# bash completion for xstack                                      -*- shell-script -*-

_xstack_domains()
{
    # Names of domains but domain 0, one a line; nothing where there is no toolstack.
    command -v xl >/dev/null 2>&1 || return 0
    xl list 2>/dev/null | awk 'NR > 1 && $2 != 0 { print $1 }'
}

_xstack()
{
    local commands='trace regs stack tasks info dmesg modules symbols capture dump gdb log check-config boards'
    local flags='-C --all-vcpus -f --frame-pointers --no-scan -a --all -S --stack-trace -D --decode-as-ascii
                 -t --tag-stack-dump --group --no-trace -r --raw -x --decode --no-dmesg --tasks --debuginfod --force --no-guest
                 --fix --kernel-only --redact --live --only --summary --follow --until-crash --json -v --verbose -h --help --version'
    local valued='--core --ram-base --arch -s --symbol-table --debug-dir -k --kernel-start --max-frames -n --display-stack-pages
                  -b --bytes-per-line -l --lines -m --memory -d --dump-as-stack --state --pid --comm --level
                  --board --xen --dom0 --initrd --dtb --ram --dom0-mem --bootargs --xen-bootargs
                  --format --compress --skip --note-pids --port --listen --junit --known --fail-on --role -o --output --color'
    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]}
    # bash splits --name=value at the equals sign.
    if [[ $cur == '=' ]]; then
        cur=''
    elif [[ $prev == '=' && $COMP_CWORD -ge 2 ]]; then
        prev=${COMP_WORDS[COMP_CWORD - 2]}
    fi
    COMPREPLY=()

    case $prev in
        --core | -s | --symbol-table | -o | --output | --junit | --known | --xen | --dom0 | --initrd | --dtb)
            compopt -o filenames 2>/dev/null
            mapfile -t COMPREPLY < <(compgen -f -- "$cur")
            return
            ;;
        --debug-dir)
            compopt -o filenames 2>/dev/null
            mapfile -t COMPREPLY < <(compgen -d -- "$cur")
            return
            ;;
        --arch)
            mapfile -t COMPREPLY < <(compgen -W 'arm32 arm64 x86_32 x86_64' -- "$cur")
            return
            ;;
        --board)
            mapfile -t COMPREPLY < <(compgen -W "$(xstack boards 2>/dev/null | awk 'NR > 1 { print $1 }')" -- "$cur")
            return
            ;;
        --format)
            mapfile -t COMPREPLY < <(compgen -W 'elf kdump xl' -- "$cur")
            return
            ;;
        --note-pids)
            mapfile -t COMPREPLY < <(compgen -W 'vcpu task' -- "$cur")
            return
            ;;
        --compress)
            mapfile -t COMPREPLY < <(compgen -W 'zstd zlib none' -- "$cur")
            return
            ;;
        --color)
            mapfile -t COMPREPLY < <(compgen -W 'auto always never' -- "$cur")
            return
            ;;
        --level)
            mapfile -t COMPREPLY < <(compgen -W 'emerg alert crit err warn notice info debug err+' -- "$cur")
            return
            ;;
        --role)
            mapfile -t COMPREPLY < <(compgen -W 'dom0 domu trace' -- "$cur")
            return
            ;;
        -l | --lines)
            mapfile -t COMPREPLY < <(compgen -W 'all max' -- "$cur")
            return
            ;;
    esac
    if [[ " $valued " == *[[:space:]]"$prev"[[:space:]]* ]]; then
        return # a number: nothing to offer
    fi
    if [[ $cur == -* ]]; then
        mapfile -t COMPREPLY < <(compgen -W "$flags $valued" -- "$cur")
        return
    fi

    # The words so far, without options and their values: the first may be a subcommand.
    local i words=0 core='' log='' boards=''
    for ((i = 1; i < COMP_CWORD; i++)); do
        case ${COMP_WORDS[i]} in
            --core) core=yes && ((i++)) ;;
            =) ((i++)) ;;
            -*) [[ " $valued " == *[[:space:]]"${COMP_WORDS[i]}"[[:space:]]* && ${COMP_WORDS[i + 1]} != '=' ]] && ((i++)) ;;
            log | check-config) ((words == 0)) && log=yes; words=2 ;;
            boards) ((words == 0)) && boards=yes; words=2 ;;
            trace | regs | stack | tasks | info | dmesg | modules | symbols | capture | dump | gdb) ((words == 0)) && words=1 || words=2 ;;
            *) words=2 ;;
        esac
    done
    if [[ -n $log ]]; then
        compopt -o filenames 2>/dev/null
        mapfile -t COMPREPLY < <(compgen -f -- "$cur")
        return
    fi
    if [[ -n $boards ]]; then
        mapfile -t COMPREPLY < <(compgen -W "show boot $(xstack boards 2>/dev/null | awk 'NR > 1 { print $1 }')" -- "$cur")
        return
    fi
    local offers=''
    ((words == 0)) && offers=$commands
    [[ -z $core ]] && ((words < 2)) && offers+=" $(_xstack_domains)"
    mapfile -t COMPREPLY < <(compgen -W "$offers" -- "$cur")
}

complete -F _xstack xstack
