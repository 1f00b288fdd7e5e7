# For the setup of a page: a Job of a placeholder image that takes part in a Lease, and waiting until it holds it.

# job NAMESPACE NAME LEASE IMAGE [ANNOTATION]
job() {
  kubectl create --namespace "$1" --filename - << MANIFEST
apiVersion: batch/v1
kind: Job
metadata:
  name: $2
  labels:
    konductor.io/lease: $3
  annotations:
    ${5-example.com/none: ""}
spec:
  template:
    spec:
      restartPolicy: Never
      containers:
        - name: report
          image: $4
MANIFEST
}

# held NAMESPACE LEASE
held() {
  kubectl wait --namespace "$1" --for=create "klease/$2" --timeout=60s
  kubectl wait --namespace "$1" --for=condition=Held "klease/$2" --timeout=60s
}

# waiting NAMESPACE JOB: until its pod is in the queue
waiting() {
  until kubectl get klr --namespace "$1" --output=jsonpath='{.items[*].spec.holder}' | grep -q "$2-"; do sleep 0.5; done
}

# namespace NAME
namespace() {
  kubectl create namespace "$1"
  until kubectl get serviceaccount default --namespace "$1"; do sleep 0.5; done
}
