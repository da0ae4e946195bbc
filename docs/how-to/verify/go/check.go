// Runs Verify on every line of the vector file named as argument.
package main

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"
)

func main() {
	text, err := os.ReadFile(os.Args[1])
	if err != nil {
		panic(err)
	}
	lines, good := strings.Split(strings.TrimSpace(string(text)), "\n"), 0
	for _, line := range lines {
		field := strings.Split(line, "\t")
		header := http.Header{}
		for i, name := range []string{"webhook-id", "webhook-timestamp", "webhook-signature"} {
			if field[i+1] != "" {
				header.Set(name, field[i+1])
			}
		}
		body, _ := base64.StdEncoding.DecodeString(field[4])
		now, _ := strconv.ParseInt(field[6], 10, 64)
		answer := Verify(header, body, field[5], 300*time.Second, time.Unix(now, 0))
		if answer == (field[7] == "true") {
			good++
		} else {
			fmt.Println("  mismatch:", field[0])
		}
	}
	fmt.Println(good, len(lines))
}
