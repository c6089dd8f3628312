# shellcheck shell=bash
# A certificate authority of this cluster alone. Its certificate is in $dir/client/ca.pem. Its key is removed once it
# has signed.
# shellcheck disable=SC2154

new_key=(-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes)

make_certificates() {
  local n private=$dir/ca
  mkdir -p "$private"
  openssl req -x509 "${new_key[@]}" -keyout "$private/key.pem" -out "$dir/client/ca.pem" -days 30 \
    -subj "/CN=Rocket Rides cluster $net" -addext keyUsage=critical,keyCertSign,cRLSign 2>/dev/null
  for n in "${machines[@]}"; do
    # HAProxy passes connections to the leader on as they are, so its addresses name the leader too.
    certify "$n" "DNS:$(name_of "$n"),IP:$(address_of "$n"),IP:$(address_of "$front"),IP:$(public_address)"
  done
  certify "$front" "DNS:$public_name,IP:$(address_of "$front"),IP:$(public_address)"
  cat "$dir/$front/certificate.pem" "$dir/$front/key.pem" >"$dir/$front/both.pem"
  rm -rf -- "$private"
}

# certify N NAMES: makes key.pem and certificate.pem of a machine.
certify() {
  openssl req -new "${new_key[@]}" -keyout "$dir/$1/key.pem" -subj "/CN=$(name_of "$1")" 2>/dev/null |
    openssl x509 -req -CA "$dir/client/ca.pem" -CAkey "$dir/ca/key.pem" -CAserial "$dir/ca/serial" -CAcreateserial \
      -days 30 -extfile <(printf 'subjectAltName=%s\nextendedKeyUsage=serverAuth\nbasicConstraints=CA:FALSE\n' "$2") \
      -out "$dir/$1/certificate.pem" 2>/dev/null || die "openssl cannot make the certificate of $(name_of "$1")"
}
