package agent

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

var secretRef = regexp.MustCompile(`\$\{secret\.([a-zA-Z0-9_-]+)\}`)

// resolveSecrets puts the values of ${secret.name} into a text. They come from the
// environment (LEAT_SECRET_NAME), else from a file of that name in dir, and
// never leave this machine.
func resolveSecrets(text, dir string) (string, error) {
	var failed error
	out := secretRef.ReplaceAllStringFunc(text, func(ref string) string {
		name := secretRef.FindStringSubmatch(ref)[1]
		if v, ok := os.LookupEnv("LEAT_SECRET_" + strings.ToUpper(strings.ReplaceAll(name, "-", "_"))); ok {
			return v
		}
		if dir != "" {
			b, err := os.ReadFile(filepath.Join(dir, name))
			if err == nil {
				return strings.TrimRight(string(b), "\r\n")
			}
		}
		failed = fmt.Errorf("secret %q is not known on this machine: put it into a file of that name in secrets_dir, or into LEAT_SECRET_%s", name, strings.ToUpper(name))
		return ""
	})
	return out, failed
}
