# Completion of icmpscopectl for bash: commands, their options as --help tells them, and names for explain.
_icmpscopectl() {
	local cur=${COMP_WORDS[COMP_CWORD]} command=${COMP_WORDS[1]:-} program=${COMP_WORDS[0]}
	COMPREPLY=()
	if [ "$COMP_CWORD" -eq 1 ]; then
		mapfile -t COMPREPLY < <(compgen -W "$("$program" --help 2>/dev/null | sed -n 's/^  \([a-z][a-z]*\) .*/\1/p') --help --version" -- "$cur")
		return
	fi
	case ${COMP_WORDS[COMP_CWORD - 1]} in
	--socket | --file | -c | --config)
		mapfile -t COMPREPLY < <(compgen -f -- "$cur")
		return
		;;
	esac
	if [ "$command" = explain ] && [[ $cur != -* ]]; then
		mapfile -t COMPREPLY < <(compgen -W "$("$program" explain "$cur" 2>&1 | sed -n 's/.*there is//p' | tr -d ,)" -- "$cur")
		return
	fi
	mapfile -t COMPREPLY < <(compgen -W "$("$program" "$command" --help 2>/dev/null | grep -o -- '--[a-z]*' | sort -u) --help" -- "$cur")
}
complete -F _icmpscopectl icmpscopectl
