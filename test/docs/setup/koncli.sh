job shop one nightly-report registry.example/report:1
held shop nightly-report
job shop two nightly-report registry.example/report:1
waiting shop two
job shop three nightly-report registry.example/report:1
waiting shop three
for program in generate-report migrate; do
  printf '#!/bin/sh\n' > "$program"
  chmod +x "$program"
done
